//! Timers on a host that put something back unless they are told in time that it stays: each a process of its own, which
//! needs neither this connection nor this machine.

use std::time::Duration;

use super::hosts::Hosts;
use super::kept::PLACE;
use super::script::Script;
use super::target::Target;
use super::words::quoted;
use crate::failure::{Failure, FailureKind};

const ARM: &str = include_str!("scripts/arm.sh");
const DECIDE: &str = include_str!("scripts/decide.sh");

/// What is to become of something that is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It stays as it is.
    Stay,
    /// It is put back at once.
    Revert,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Stays,
    /// It was put back, with this exit code and these last words.
    Reverted(i32, String),
    /// It is being put back, which takes long.
    Reverting,
    /// The host knows nothing of it: it swept it away.
    Absent,
}

impl Hosts {
    /// Starts a timer that runs a script of `sh` after that time. Says whether the host starts it again when it is itself
    /// started anew meanwhile.
    pub async fn arm(
        &self,
        target: &Target,
        user: Option<&str>,
        key: &str,
        within: Duration,
        revert: &str,
    ) -> Result<bool, Failure> {
        let head = format!("length={}\nseconds={}\n", revert.len(), within.as_secs().max(1));
        let script = Script::new(format!("key={}\n{head}{PLACE}{ARM}", quoted(key))).run_by(user).reading(revert);
        self.ask(target, &script, 1 << 10).await.map(|(_, said)| said.words != "forgets")
    }

    /// Decides about it, where its timer has not.
    pub async fn decide(
        &self,
        target: &Target,
        user: Option<&str>,
        key: &str,
        wish: Decision,
    ) -> Result<Verdict, Failure> {
        let head = format!("wish={}\n", if wish == Decision::Stay { "stay" } else { "revert" });
        let script = Script::new(format!("key={}\n{head}{PLACE}{DECIDE}", quoted(key))).run_by(user);
        let (output, said) = match self.ask(target, &script, 64 << 10).await {
            Err(failure) if failure.kind == FailureKind::NotFound => return Ok(Verdict::Absent),
            answer => answer?,
        };
        let words = said.words.split_once(' ').unwrap_or((said.words.as_str(), ""));
        Ok(match words {
            ("stays", _) => Verdict::Stays,
            ("reverted", code) => {
                Verdict::Reverted(code.parse().unwrap_or(-1), String::from_utf8_lossy(&output).trim().to_owned())
            }
            ("absent", _) => Verdict::Absent,
            _ => Verdict::Reverting,
        })
    }
}
