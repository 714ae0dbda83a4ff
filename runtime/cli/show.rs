use std::process::ExitCode;

use clap::Args;

use super::CommandResult;
use super::history::{self, RunName};
use crate::failure::{Failure, FailureKind};
use crate::journal::Source;
use crate::report::{self, Style};

const EXAMPLES: &str = "\
Examples:
  runbook show                        the newest run
  runbook show 12 --calls
  runbook show 12 --script > deploy-as-it-ran.rhai
  runbook show 12 --script std/deploy
  runbook show 12 --verify";

/// Show one run: its steps with times, and why it failed.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// The run's number; the newest run when left out
    #[arg(value_name = "RUN", default_value = "last", hide_default_value = true)]
    run: RunName,
    /// Print the script exactly as it ran, or a module of it by name
    #[arg(long, value_name = "MODULE", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["json", "calls"])]
    script: Option<String>,
    /// Show every call, not just the steps
    #[arg(long)]
    calls: bool,
    /// Say whether everything recorded of the run is as it was recorded, and what is not: exit code 0 or 1
    #[arg(long, conflicts_with_all = ["script", "calls"])]
    verify: bool,
    /// Write everything known as one JSON object, with scripts and calls
    #[arg(long)]
    json: bool,
}

impl Show {
    /// Shows the run.
    pub fn run(self) -> CommandResult {
        let (journal, run) = history::open_run(self.run)?;
        if self.verify {
            let verdict = journal.verify(run.id)?;
            history::answer(|out| {
                if self.json {
                    report::document(out, &verdict)
                } else {
                    report::verdict(out, &verdict, Style::detect_stdout())
                }
            })?;
            return Ok(if verdict.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(1) });
        }
        let sources = journal.sources(run.id)?;
        if let Some(wanted) = self.script {
            let source = choose(&sources, run.id, &wanted)?;
            history::answer(|out| out.write_all(source.text.as_bytes()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let (calls, interruptions) = (journal.calls(run.id)?, journal.interruptions(run.id)?);
        let details = report::Details { run: &run, interruptions: &interruptions, sources: &sources, calls: &calls };
        history::answer(|out| {
            if self.json {
                return report::document(out, &details);
            }
            report::show(out, &details, self.calls, Style::detect_stdout())
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The module of that name; without a name the runbook's own text.
fn choose<'a>(sources: &'a [Source], run: i64, name: &str) -> Result<&'a Source, Failure> {
    let is_wanted =
        |source: &&Source| name.is_empty() || source.path == name || source.path.strip_suffix(".rhai") == Some(name);
    sources.iter().find(is_wanted).ok_or_else(|| {
        let names: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
        Failure::new(FailureKind::NotFound, format!("run {run} used no script `{name}`"))
            .hint(format!("it used {}", names.join(", ")))
    })
}
