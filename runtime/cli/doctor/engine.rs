//! Is there a Docker engine, may this user talk to it, has it room, and which applications on it are locked?

use std::path::Path;
use std::time::Duration;

use super::machine::{free, on_path};
use crate::drivers::Drivers;
use crate::drivers::docker::{Engine, EngineInfo, HeldLock};
use crate::failure::Failure;
use crate::report::Condition;
use crate::units::ByteSize;

/// How long the engine may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

const NAME: &str = "Docker engine";
const ROOM: &str = "room for images";

/// Pulls of this size are ordinary; with less than a tenth of it they fail.
const ENOUGH: u64 = 5 << 30;

pub(super) fn look() -> Vec<Condition> {
    match ask() {
        Ok((info, locks)) => {
            let found = format!("{}, API {}, {}", info.version, info.api_version, info.storage_driver);
            let mut all = vec![Condition::ok(NAME, found)];
            all.extend(room(&info));
            all.extend(locks.iter().map(locked));
            all
        }
        Err(failure) => {
            let missing = Condition::missing(NAME, failure.message.clone());
            vec![cures(&failure).into_iter().fold(missing, Condition::fix)]
        }
    }
}

fn ask() -> Result<(EngineInfo, Vec<HeldLock>), Failure> {
    let engine = Engine::local()?;
    let questions = async { Ok((engine.info().await?, engine.locks().await?)) };
    Drivers::default().block_on(async {
        tokio::time::timeout(PATIENCE, questions).await.unwrap_or_else(|_| {
            let message = format!("the Docker engine at `{}` did not answer within 10s", engine.address());
            Err(Failure::new(crate::failure::FailureKind::Timeout, message).hint("sudo systemctl restart docker"))
        })
    })
}

/// The driver's hints, without the ones that do not apply: an engine that is installed need not be installed.
fn cures(failure: &Failure) -> Vec<String> {
    let installed = on_path("dockerd").is_some();
    let applies = |hint: &&String| !(installed && hint.starts_with("install it"));
    failure.hints.iter().filter(applies).cloned().collect()
}

/// An application that one run has to itself.
fn locked(lock: &HeldLock) -> Condition {
    let (run, owner) = (lock.holder.run, &lock.holder.owner);
    let step = if lock.step.is_empty() { String::new() } else { format!(", at `{}`", lock.step) };
    let found = format!("held by run {run} of {owner} since {}{step}", lock.since.strftime("%F %T UTC"));
    let name = format!("application {}", lock.name);
    if lock.parked {
        let fix = format!("runbook show {run}, in {}", lock.holder.project);
        return Condition::warn(name, format!("{found}; the run waits for a person")).fix(fix);
    }
    if lock.is_abandoned() {
        let found = format!("{found}; its process is gone, and the next run takes over");
        return Condition::warn(name, found).fix(format!("runbook resume {run}, in {}", lock.holder.project));
    }
    Condition::ok(name, found)
}

/// Only an engine on this machine has its disk here.
fn room(info: &EngineInfo) -> Option<Condition> {
    let free = free(Path::new(&info.root))?;
    let found = format!("{} free in {}", ByteSize(free), info.root);
    Some(if free >= ENOUGH {
        Condition::ok(ROOM, found)
    } else if free >= ENOUGH / 10 {
        Condition::warn(ROOM, found).fix("docker image prune --all")
    } else {
        Condition::missing(ROOM, found).fix("docker image prune --all")
    })
}
