use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;

use super::CommandResult;
use crate::cli::{history, places};
use crate::failure::{Failure, FailureKind};
use crate::project::ProjectFile;
use crate::report::{self, Style};
use crate::secrets::sealed::{Card, Identity, Person, Store, file_of};

/// Say who may read and change secrets.
#[derive(Subcommand)]
pub enum Recipient {
    /// List who may read and change what
    List(ListThem),
    /// Let somebody in
    Add(Add),
    /// Take somebody off the list, seal everything anew, and say what that person still knows
    Remove(Remove),
}

/// List who may read and change what.
#[derive(Args)]
pub struct ListThem {}

/// Let somebody in: what that person may read is sealed anew.
#[derive(Args)]
pub struct Add {
    /// What others call that person or machine
    name: String,
    /// What `runbook secret identity` printed there, an age key, or an SSH public key
    key: String,
    /// Only this environment; repeat it for several
    #[arg(short, long, value_name = "NAME")]
    env: Vec<String>,
    /// May read, but not change anything: for machines
    #[arg(long)]
    read_only: bool,
}

/// Take somebody off the list.
#[derive(Args)]
pub struct Remove {
    /// Who
    name: String,
}

impl Recipient {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        let root = places::root_here()?;
        let file = ProjectFile::load(&root)?;
        let store = Store::of(&root, &file)?;
        match self {
            Self::List(_) => list(&store),
            Self::Add(command) => command.run(&store, &file),
            Self::Remove(command) => command.run(&store),
        }
    }
}

fn list(store: &Store) -> CommandResult {
    let people = store.people()?;
    let row = |person: &Person| {
        let since = person.since.to_zoned(TimeZone::system()).strftime("%Y-%m-%d").to_string();
        let may = if person.card.signer.is_some() { "read, change" } else { "read" };
        [
            person.name.clone(),
            may.to_owned(),
            environments(person.environments.as_deref()),
            since,
            person.card.to_string(),
        ]
    };
    let rows: Vec<_> = people.persons().map(row).collect();
    history::answer(|out| {
        report::listing(out, ["NAME", "MAY", "ENVIRONMENTS", "SINCE", "KEYS"], &rows, Style::detect_stdout())
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Add {
    fn run(self, store: &Store, file: &ProjectFile) -> CommandResult {
        let mut card = Card::parse(&self.key)?;
        if self.read_only {
            card.signer = None;
        }
        if let Some(name) = self.env.iter().find(|name| !file.environments.contains_key(*name)) {
            return Err(file
                .environment(Some(name))
                .err()
                .unwrap_or_else(|| Failure::new(FailureKind::NotFound, format!("there is no environment `{name}`"))));
        }
        let environments = (!self.env.is_empty()).then(|| self.env.clone());
        store.admit(&self.name, &card, environments.clone(), &Identity::require()?)?;
        report::note(&described(&self.name, &card, environments.as_deref()));
        Ok(ExitCode::SUCCESS)
    }
}

impl Remove {
    fn run(self, store: &Store) -> CommandResult {
        let known = store.dismiss(&self.name, &Identity::require()?)?;
        report::note(&format!("{} is off the list, and everything is sealed anew", self.name));
        for (environment, names) in known.iter().filter(|(_, names)| !names.is_empty()) {
            let count = names.len();
            report::note(&format!(
                "\n{} still knows {count} of {}, until they are changed:",
                self.name,
                file_of(environment)
            ));
            for name in names {
                report::note(&format!("  {name}"));
            }
            report::note(&format!("-> runbook secret rotate --known-by {} --env {environment}", self.name));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Who was let in, to what.
pub(super) fn described(name: &str, card: &Card, environments: Option<&[String]>) -> String {
    let may = if card.signer.is_some() { "may read and change" } else { "may read" };
    format!("{name} {may} {}: {}", self::environments(environments), card.recipient)
}

fn environments(names: Option<&[String]>) -> String {
    names.map_or_else(|| "all".to_owned(), |names| names.join(", "))
}
