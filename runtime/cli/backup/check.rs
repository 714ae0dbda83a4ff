use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Where};
use crate::cli::history;
use crate::drivers::backup::Access;
use crate::report;

/// Look whether everything is there that snapshots need.
#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    place: Where,
    /// Read all data, and compare it with its hashes
    #[arg(long)]
    read_data: bool,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Exits with 1 when something is damaged.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let checked = ground.open(Access::Shared)?.check(self.read_data)?;
        let is_whole = checked.errors.is_empty();
        history::answer(|out| {
            if self.json {
                return report::document(out, &checked);
            }
            checked.errors.iter().try_for_each(|problem| writeln!(out, "damaged: {problem}"))?;
            checked.warnings.iter().try_for_each(|problem| writeln!(out, "note: {problem}"))?;
            let read = if self.read_data { ", all data was read" } else { "" };
            let verdict = if is_whole { "is whole" } else { "is damaged" };
            writeln!(out, "the repository {} {verdict}{read}", ground.name)
        })?;
        if !is_whole && !self.json {
            report::note("snapshots that do not need what is damaged can still be restored");
        }
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
