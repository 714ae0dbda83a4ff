use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;

use super::{CommandResult, history};
use crate::journal::{RunFilter, RunState};
use crate::report;

const EXAMPLES: &str = "\
Examples:
  runbook runs --env prod --state failed,killed --since 7d
  runbook runs --runbook deploy --limit 1 --json";

/// List the runs of this project, newest first.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Runs {
    /// Only runs of this runbook: its path, or its name with or without `.rhai`
    #[arg(long, value_name = "NAME")]
    runbook: Option<String>,
    /// Only runs on this environment
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
    /// Only runs in one of these states
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', value_parser = state_parser())]
    states: Vec<RunState>,
    /// Only runs begun since then: `2d` ago, or `2026-11-01`, or `2026-11-01T14:30`
    #[arg(long, value_name = "WHEN", value_parser = history::parse_moment)]
    since: Option<Timestamp>,
    /// Only runs begun before then
    #[arg(long, value_name = "WHEN", value_parser = history::parse_moment)]
    until: Option<Timestamp>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Write a JSON array with everything known of each run
    #[arg(long)]
    json: bool,
}

impl Runs {
    /// Lists the runs.
    pub fn run(self) -> CommandResult {
        let journal = history::open()?;
        let filter = RunFilter {
            runbook: self.runbook,
            environment: self.env,
            states: self.states,
            since: self.since,
            until: self.until,
            limit: Some(self.limit),
        };
        let (runs, any) = match &journal {
            None => (Vec::new(), false),
            Some(journal) => {
                let runs = journal.runs(&filter)?;
                let any = !runs.is_empty()
                    || !journal.runs(&RunFilter { limit: Some(1), ..RunFilter::default() })?.is_empty();
                (runs, any)
            }
        };
        if self.json {
            history::answer(|out| report::document(out, &runs))?;
        } else if runs.is_empty() {
            report::note(if any { "no run matches" } else { "no runs yet" });
        } else {
            history::answer(|out| report::runs(out, &runs, Timestamp::now(), report::Style::detect_stdout()))?;
            if runs.len() == self.limit {
                report::note(&format!("only the newest {} are listed; --limit lists more", self.limit));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn state_parser() -> impl TypedValueParser<Value = RunState> {
    PossibleValuesParser::new(["running", "waiting", "in_doubt", "ok", "failed", "cancelled", "killed"])
        .try_map(|word| serde_json::from_value::<RunState>(word.into()))
}
