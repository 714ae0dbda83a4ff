//! `runbook service`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Subcommand};

use super::{CommandResult, history, places};
use crate::failure::{Failure, FailureKind};
use crate::project::{ProjectFile, state_folder};
use crate::report;
use crate::serve::unit::Unit;

/// Have systemd run `runbook serve` for this project.
#[derive(Subcommand)]
pub enum ServiceCommand {
    /// Write the systemd unit and have systemd read it
    Install(Install),
}

/// Write the systemd unit.
#[derive(Args)]
pub struct Install {
    /// Who it runs as: needs the group `docker`, and write access to the project and its state folder
    #[arg(long, value_name = "USER", default_value = "root")]
    user: String,
    /// Where units are
    #[arg(long, value_name = "FOLDER", default_value = "/etc/systemd/system")]
    to: PathBuf,
    /// Only write it to standard output
    #[arg(long)]
    print: bool,
}

impl ServiceCommand {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        match self {
            Self::Install(command) => command.run(),
        }
    }
}

impl Install {
    fn run(self) -> CommandResult {
        let root = places::root_here()?;
        super::schedule::Registry::load(&root)?;
        let file = ProjectFile::load(&root)?;
        let program = std::env::current_exe().map_err(|error| Failure::system("find this program", &error))?;
        let state = absolute(&state_folder(&root))?;
        let unit = Unit { project: &file.name, program: &program, root: &root, state: &state, user: &self.user };
        if self.print {
            history::answer(|out| write!(out, "{}", unit.text()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let path = self.to.join(unit.name());
        std::fs::write(&path, unit.text()).map_err(|error| {
            Failure::system(format!("write `{}`", path.display()), &error)
                .hint("run this as root, or take what `--print` shows")
        })?;
        let name = unit.name();
        if self.to == Path::new("/etc/systemd/system") {
            reload_systemd()?;
        }
        report::note(&format!("wrote {}\nstart it with `systemctl enable --now {name}`", path.display()));
        Ok(ExitCode::SUCCESS)
    }
}

fn reload_systemd() -> Result<(), Failure> {
    let status = Command::new("systemctl").arg("daemon-reload").status();
    let status = status.map_err(|error| Failure::system("have systemd read the unit", &error))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(FailureKind::System, "systemd did not read the unit").hint("`systemctl daemon-reload` says why"))
}

/// The unit needs a whole path; the folder may not be there yet.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::system("find the state folder", &error))
}
