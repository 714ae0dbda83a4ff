//! `runbook backup`: one file per subcommand. Here: what they share.

mod check;
mod copy;
mod drill;
mod export;
mod forget;
mod import;
mod init;
mod key;
mod list;
mod prune;
mod rebuild;
mod restore;
mod show;

use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::Value;

use super::{CommandResult, places};
use crate::drivers::backup::{Access, Location, Meter, Reach, Repository, Snapshot};
use crate::failure::{Failure, FailureKind};
use crate::journal::{Event, Journal, Redacted};
use crate::primitive::{Catalogued, Effect, Site, opening, reconcile};
use crate::project::{BackupRepository, Project};
use crate::report::{self, Console, JsonLines, Sink, Style};
use crate::secrets::{Redactor, SecretText, Sources};

/// Look after repositories of backups, and restore out of them.
#[derive(Subcommand)]
pub enum Backup {
    /// Make a repository, and say how to read it without this program
    Init(init::Init),
    /// List snapshots, and what is wrong with how old and how large they are
    List(list::List),
    /// Show what a snapshot holds
    Show(show::Show),
    /// Look whether everything is there that snapshots need: exit code 0 or 1
    Check(check::Check),
    /// Copy snapshots into another repository, as far as they are missing there
    Copy(copy::Copy),
    /// Restore a snapshot where it harms nobody and see that it works, or show how that went before
    Drill(drill::Drill),
    /// Forget the snapshots that no rule keeps, and say why each one goes or stays
    Forget(forget::Forget),
    /// Remove what no snapshot needs any more
    Prune(prune::Prune),
    /// Make the catalogue of snapshots in the run log anew, out of the repository
    Rebuild(rebuild::Rebuild),
    /// Restore a part of a snapshot to where nothing is, and verify it
    Restore(restore::Restore),
    /// Write a part of a snapshot to a plain file: a folder as a tar archive, a dump as it is
    Export(export::Export),
    /// Take files of older backups into the repository: tar archives, dumps of PostgreSQL and of Redis
    Import(import::Import),
    /// List, add and remove keys of a repository
    #[command(subcommand)]
    Key(key::Key),
}

impl Backup {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        match self {
            Self::Init(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Show(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Copy(command) => command.run(),
            Self::Drill(command) => command.run(),
            Self::Forget(command) => command.run(),
            Self::Prune(command) => command.run(),
            Self::Rebuild(command) => command.run(),
            Self::Restore(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Key(command) => command.run(),
        }
    }
}

/// Which repository is meant.
#[derive(Args)]
struct Where {
    /// The repository: a [backup.NAME] of runbook.toml; the only one when left out
    #[arg(short, long, value_name = "NAME")]
    repository: Option<String>,
    /// The environment whose secrets the password is among; the default one, or the only one, when left out
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
}

/// A repository of the project here, and how to open it.
struct Ground {
    project: Project,
    name: String,
    entry: BackupRepository,
}

/// A repository that is open, and the run log, which knows what is in it.
struct Opened {
    repository: Repository,
    journal: Journal,
    snapshots: Vec<Snapshot>,
    /// The same as the run log knows them, with those that are gone.
    known: Vec<Catalogued>,
}

impl Where {
    fn ground(&self) -> Result<Ground, Failure> {
        let project = places::project_in(places::root_here()?, self.env.as_deref())?;
        let (name, entry) = project.backup(self.repository.as_deref())?;
        let (name, entry) = (name.to_owned(), entry.clone());
        Ok(Ground { project, name, entry })
    }
}

impl Ground {
    /// Where it is, and its password.
    fn opening(&self) -> Result<(Location, SecretText), Failure> {
        let sources = Sources::of(&self.project)?;
        opening(&self.project, &self.entry, &|_, name| Ok(sources.get(name)?.text))
    }

    /// Opens it, and compares the catalogue with what is there.
    fn open(&self, access: Access) -> Result<Opened, Failure> {
        let repository = self.repository(access)?;
        let journal = Journal::open(&self.project.state_folder())?;
        let (snapshots, known) = reconcile(&journal, &self.name, &repository)?;
        Ok(Opened { repository, journal, snapshots, known })
    }

    fn repository(&self, access: Access) -> Result<Repository, Failure> {
        let (location, password) = self.opening()?;
        let opened = Repository::open(location, password.expose(), access, Arc::new(|| Ok(())));
        opened.map_err(|failure| {
            if failure.kind == FailureKind::NotFound {
                return failure.hint(format!("`runbook backup init --repository {}` makes it", self.name));
            }
            failure
        })
    }
}

/// Does some work in a repository, and tells on standard error how far it is: in a line that moves, now and then where nothing moves,
/// or as the events of a run where the answer is JSON.
fn told<T>(title: &str, as_json: bool, meter: &Meter, work: impl FnOnce() -> T) -> T {
    let path = || "1".to_owned();
    // There is nothing in it but numbers and what is written here.
    let plain = |event| Redacted::by(&Redactor::default(), event);
    let tell =
        |sink: &dyn Sink, reach: Reach| sink.event(&plain(Event::Progress { path: path(), progress: reach.into() }));
    if as_json {
        let lines = JsonLines::to(Box::new(report::stderr()));
        return meter.watch(&|reach| tell(&lines, reach), work);
    }
    let console = Console::new(Style::detect());
    let (name, title, arguments, site) = (title.to_owned(), title.to_owned(), Value::Null, Site::default());
    let (effect, at) = (Effect::Read, Timestamp::now());
    console.event(&plain(Event::CallStarted { path: path(), name, title, effect, arguments, site, at }));
    let done = meter.watch(&|reach| tell(&console, reach), work);
    console.forget();
    done
}

/// When it was made, by the clock here.
fn moment(snapshot: &Snapshot) -> String {
    local(snapshot.time.timestamp())
}

fn local(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}
