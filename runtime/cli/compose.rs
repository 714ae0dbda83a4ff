mod config;
mod explain;
mod files;

use clap::Subcommand;

use super::CommandResult;

/// Read compose files as a deployment reads them, without an engine.
#[derive(Subcommand)]
pub enum Compose {
    /// Print what compose files say: merged, with variables replaced and everything written out
    Config(config::Config),
    /// Say where the value of a variable comes from, and where it goes
    Explain(explain::Explain),
}

impl Compose {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        match self {
            Self::Config(command) => command.run(),
            Self::Explain(command) => command.run(),
        }
    }
}
