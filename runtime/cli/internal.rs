use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::CommandResult;
use crate::drivers::{Drivers, cut, sqlite};
use crate::report;

/// What a `runbook` of another machine asks of this one
#[derive(Subcommand)]
pub enum Internal {
    /// Run a command in a container and send what it prints, without what the other side has already
    Cut,
    /// Copy a SQLite database as it is at one moment
    Copy {
        /// The database
        from: PathBuf,
        /// The copy, which must not be there
        to: PathBuf,
    },
}

impl Internal {
    /// Does as it is told over its input, until that ends.
    pub fn run(self) -> CommandResult {
        match self {
            Self::Copy { from, to } => sqlite::copy(&from, &to)?,
            Self::Cut => cut::serve(&Drivers::default(), std::io::stdin(), &mut report::stdout())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
