use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::{CommandResult, history};
use crate::failure::{Failure, FailureKind};
use crate::journal::{Deed, What};
use crate::report;

const EXAMPLES: &str = "\
Examples:
  runbook audit --secret POSTGRES_PASSWORD --since 30d
  runbook audit --env prod --json";

/// Tell who had which secret put where, who decided what, and who changed what runs do.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Audit {
    /// Only what happened to this secret, and to those made out of it
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// Only what happened on this environment
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
    /// Only what this person did, or had done: `user@machine`, or the user alone
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Only what happened since then: `2d` ago, or `2026-11-01`, or `2026-11-01T14:30`
    #[arg(long, value_name = "WHEN", value_parser = history::parse_moment)]
    since: Option<Timestamp>,
    /// Write a JSON array
    #[arg(long)]
    json: bool,
}

impl Audit {
    /// Verifies the run log, and lists what it has; exits with 1 when the run log was altered.
    pub fn run(self) -> CommandResult {
        let Some(journal) = history::open()? else {
            report::note("no runs yet");
            return Ok(ExitCode::SUCCESS);
        };
        let deeds: Vec<Deed> = journal.deeds()?.into_iter().filter(|deed| self.asks_for(deed)).collect();
        if self.json {
            history::answer(|out| report::document(out, &deeds))?;
        } else if deeds.is_empty() {
            report::note("nothing of the kind has happened");
        } else {
            history::answer(|out| report::audit(out, &deeds, report::Style::detect_stdout()))?;
        }
        let mut runs: Vec<i64> = deeds.iter().map(|deed| deed.run).collect();
        runs.dedup();
        for run in runs {
            let verdict = journal.verify(run)?;
            if !verdict.is_whole() {
                let message = format!("what the run log says of run {run} was altered");
                return Err(Failure::new(FailureKind::Check, message).hint(format!("`runbook show {run} --verify`")));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn asks_for(&self, deed: &Deed) -> bool {
        let about_secret = |wanted: &str| match &deed.what {
            What::Secret { name, .. } => name.split(['(', ')', ',', ' ']).any(|part| part == wanted),
            _ => false,
        };
        self.secret.as_deref().is_none_or(about_secret)
            && self.env.as_ref().is_none_or(|wanted| deed.environment == *wanted)
            && self.by.as_ref().is_none_or(|who| deed.by == *who || deed.by.split('@').next() == Some(who))
            && self.since.is_none_or(|since| deed.at >= since)
    }
}
