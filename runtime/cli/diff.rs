use std::process::ExitCode;

use clap::Args;

use super::CommandResult;
use super::history::{self, RunName};
use crate::report;

const EXAMPLES: &str = "\
`-` is the first run's and `+` the second one's; steps with `~` are in both, with
another outcome or a noticeably different time. Times alone are no difference.

Examples:
  runbook diff 11 12
  runbook diff 11 last --json";

/// Show what is different between two runs: script, parameters, environment, steps and results.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Diff {
    /// The first run's number, or `last`
    #[arg(value_name = "A")]
    a: RunName,
    /// The second run's number, or `last`
    #[arg(value_name = "B")]
    b: RunName,
    /// Compare every call, not just the steps
    #[arg(long)]
    calls: bool,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Diff {
    /// Compares the runs.
    pub fn run(self) -> CommandResult {
        let (journal, a) = history::open_run(self.a)?;
        let b = history::find(&journal, self.b)?;
        let difference = journal.difference(a.id, b.id, self.calls)?;
        history::answer(|out| {
            if self.json {
                report::document(out, &difference)
            } else {
                report::diff(out, &difference, report::Style::detect_stdout())
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
