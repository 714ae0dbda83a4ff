use std::process::ExitCode;

use clap::Subcommand;

use super::CommandResult;
use crate::drivers::{Drivers, cut};
use crate::report;

/// What a `runbook` of another machine asks of this one
#[derive(Subcommand)]
pub enum Internal {
    /// Run a command in a container and send what it prints, without what the other side has already
    Cut,
}

impl Internal {
    /// Does as it is told over its input, until that ends.
    pub fn run(self) -> CommandResult {
        match self {
            Self::Cut => cut::serve(&Drivers::default(), std::io::stdin(), &mut report::stdout())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
