mod backups;
mod engine;
mod machine;
mod project;
mod store;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, places};
use crate::failure::Failure;
use crate::project::state_folder;
use crate::report::{self, Condition, State, Style};

/// Say what is missing on this machine, and how to get it.
#[derive(Args)]
pub struct Doctor {
    /// Write what was found to standard output as one JSON list
    #[arg(long)]
    json: bool,
}

/// Where to look.
struct Ward {
    /// The project's folder.
    root: PathBuf,
    /// Where its run log is, or will be.
    state: PathBuf,
}

impl Doctor {
    /// Looks at everything a run may need, and exits with 1 when something needed is missing. It changes nothing.
    pub fn run(self) -> CommandResult {
        let root = places::root_here()?;
        let ward = Ward { state: state_folder(&root), root };
        let mut all = engine::look();
        all.extend(machine::look(&ward));
        all.extend(project::look(&ward));
        all.extend(store::look(&ward));
        all.extend(backups::look(&ward));
        self.show(&all).map_err(|error| Failure::system("write what was found", &error))?;
        let missing = all.iter().any(|condition| condition.state == State::Missing);
        Ok(if missing { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    fn show(&self, all: &[Condition]) -> std::io::Result<()> {
        let mut out = report::stdout();
        if self.json {
            return writeln!(out, "{}", serde_json::to_string_pretty(all)?);
        }
        report::conditions(&mut out, all, Style::detect())
    }
}
