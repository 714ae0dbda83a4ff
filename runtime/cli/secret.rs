//! `runbook secret`: one file per subcommand. Here: what they share.

mod diff;
mod doctor;
mod edit;
mod generate;
mod get;
mod identity;
mod import;
mod init;
mod input;
mod list;
mod recipient;
mod rekey;
mod remove;
mod rotate;
mod set;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CommandResult, places};
use crate::failure::{Failure, FailureKind};
use crate::project::{Environment, Project};
use crate::report;
use crate::secrets::sealed::{Change, Identity, Opened, Store, file_of};

/// Keep secrets in the repository, sealed to the people who may read them and signed by those who may change them.
#[derive(Subcommand)]
pub enum Secret {
    /// Begin: a key of your own, the list of people, and a second key
    Init(init::Init),
    /// Print what others need to let you in, or make a key
    Identity(identity::Identify),
    /// Say who may read and change secrets
    #[command(subcommand)]
    Recipient(recipient::Recipient),
    /// Set a value, read from standard input or asked for without echo
    Set(set::Set),
    /// Print a value, as a script would get it
    Get(get::Get),
    /// List names: never a value
    List(list::List),
    /// Change all values of an environment in an editor
    Edit(edit::Edit),
    /// Set a value that nobody thought up
    Generate(generate::Generate),
    /// Generate values anew
    Rotate(rotate::Rotate),
    /// Remove a value
    Remove(remove::Remove),
    /// Take over the values of a `.env` file
    Import(import::Import),
    /// Seal everything anew to the people who may read it now
    Rekey(rekey::Rekey),
    /// Compare two environments or revisions without showing a value
    Diff(diff::Diff),
    /// Look for weak, shared, old and exposed values
    Doctor(doctor::Doctor),
}

impl Secret {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        match self {
            Self::Init(command) => command.run(),
            Self::Identity(command) => command.run(),
            Self::Recipient(command) => command.run(),
            Self::Set(command) => command.run(),
            Self::Get(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Edit(command) => command.run(),
            Self::Generate(command) => command.run(),
            Self::Rotate(command) => command.run(),
            Self::Remove(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Rekey(command) => command.run(),
            Self::Diff(command) => command.run(),
            Self::Doctor(command) => command.run(),
        }
    }
}

/// Which environment is meant.
#[derive(Args)]
struct Where {
    /// The environment; the default one, or the only one, when left out
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
}

/// The project here, its chosen environment, and its sealed values.
struct Ground {
    project: Project,
    store: Store,
}

impl Where {
    fn ground(&self) -> Result<Ground, Failure> {
        Ground::of(places::project_in(places::root_here()?, self.env.as_deref())?)
    }
}

impl Ground {
    fn of(project: Project) -> Result<Self, Failure> {
        let store = Store::of(project.root(), project.file())?;
        Ok(Self { project, store })
    }

    fn environment(&self) -> &Environment {
        self.project.environment()
    }

    /// The environment's values.
    fn opened(&self) -> Result<Opened, Failure> {
        self.store.open(&self.environment().name)?.ok_or_else(|| self.no_file())
    }

    fn no_file(&self) -> Failure {
        let name = &self.environment().name;
        let failure = Failure::new(FailureKind::NotFound, format!("there is no {} yet", file_of(name)));
        if self.store.is_begun() {
            failure.hint(format!("`runbook secret set NAME --env {name}` makes it"))
        } else {
            failure.hint("`runbook secret init` begins")
        }
    }

    /// The identity of whoever runs this, who has to be on the list.
    fn identity(&self) -> Result<Identity, Failure> {
        let people = self.store.people()?;
        let identity = Identity::require()?;
        people.who(&identity).map(drop)?;
        Ok(identity)
    }

    fn root(&self) -> PathBuf {
        self.project.root().to_owned()
    }

    /// Says what became of the environment's file.
    fn told(&self, what: &str, change: Change) {
        let file = file_of(&self.environment().name);
        match change {
            Change::Made(serial) => report::note(&format!("{what}: {file}, serial {serial}")),
            Change::Nothing => report::note(&format!("nothing to do: {file} is as it should be")),
        }
    }
}

/// There is no value of that name.
fn no_such(name: &str, opened: &Opened) -> Failure {
    let environment = opened.environment();
    let failure = Failure::new(FailureKind::NotFound, format!("there is no `{name}` in {}", file_of(environment)));
    failure.hint(format!("`runbook secret list --env {environment}` shows what there is"))
}
