use std::process::ExitCode;

use clap::Args;

use super::files::Files;
use crate::cli::{CommandResult, history};
use crate::compose::explain;
use crate::report;

const EXAMPLES: &str = "\
Examples:
  runbook compose explain TAG
  runbook compose explain POSTGRES_PASSWORD --show-values
  runbook compose explain LOG_LEVEL -f compose.yaml -f compose.prod.yaml --env LOG_LEVEL=DEBUG";

/// Say where the value of a variable comes from, and where it goes.
///
/// Values are not shown where the name of the variable suggests a secret.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Explain {
    /// The variable
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    files: Files,
    /// Show the value, whatever the variable is called
    #[arg(long)]
    show_values: bool,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Explain {
    /// Follows the variable; the exit code is 1 when nobody sets it, nothing asks for it and no container has it.
    pub fn run(self) -> CommandResult {
        let mut found = explain(&self.files.request()?, &self.name);
        if !self.show_values {
            found.mask();
        }
        history::answer(
            |out| if self.json { report::document(out, &found) } else { report::explanation(out, &found) },
        )?;
        Ok(if found.is_unknown() { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}
