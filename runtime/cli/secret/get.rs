use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Where};
use crate::failure::{Failure, FailureKind};
use crate::report;
use crate::secrets::Sources;

/// Print a value, as a script would get it: from the first source of the environment that has one.
#[derive(Args)]
pub struct Get {
    /// The secret's name
    name: String,
    #[command(flatten)]
    place: Where,
    /// Print it although somebody may be looking at the terminal
    #[arg(long)]
    reveal: bool,
    /// Print no line break after it
    #[arg(short, long)]
    no_newline: bool,
}

impl Get {
    /// Writes the value to standard output.
    pub fn run(self) -> CommandResult {
        if std::io::stdout().is_terminal() && !self.reveal {
            return Err(Failure::new(
                FailureKind::Refused,
                "the value would be seen on the terminal, and stay in its history",
            )
            .hint(format!(
                "pipe it to where it is needed, or add `--reveal`: runbook secret get {} --reveal",
                self.name
            )));
        }
        let found = Sources::of(&self.place.ground()?.project)?.get(&self.name)?;
        let end = if self.no_newline { "" } else { "\n" };
        let mut out = report::stdout();
        write!(out, "{}{end}", found.text.expose())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::system("write the value", &error))?;
        Ok(ExitCode::SUCCESS)
    }
}
