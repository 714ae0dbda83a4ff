//! The schedules of a project: those of its file, and those in the headers of its runbooks.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::check::scripts;
use crate::failure::{Failure, FailureKind, nearest};
use crate::journal::{FireChange, Journal};
use crate::project::{PROJECT_FILE, ProjectFile, ScheduleEntry, state_folder};
use crate::schedule::ledger::{self, Standing, World};
use crate::schedule::{Alike, Clock, Definition, SystemClock};
use crate::script::Header;
use crate::serve;

/// Everything that is said about when runbooks run by themselves.
pub(in crate::cli) struct Registry {
    pub(in crate::cli) file: ProjectFile,
    pub(in crate::cli) definitions: BTreeMap<String, Definition>,
    headers: BTreeMap<String, Header>,
}

impl Registry {
    /// Reads the project at `root`. Fails, before anything was registered, for a schedule that could not run: its expression,
    /// its runbook, its environment, its parameters.
    pub(in crate::cli) fn load(root: &Path) -> Result<Self, Failure> {
        let mut file = ProjectFile::load(root)?;
        let mut entries: BTreeMap<String, (ScheduleEntry, String)> = BTreeMap::new();
        for (name, mut entry) in std::mem::take(&mut file.schedules) {
            entry.runbook = entry.runbook.map(|path| path.trim_start_matches("./").to_owned());
            entries.insert(name, (entry, PROJECT_FILE.to_owned()));
        }
        let mut headers = BTreeMap::new();
        for script in scripts(root)? {
            let path = script.strip_prefix(root).unwrap_or(&script).to_string_lossy().into_owned();
            let text =
                std::fs::read_to_string(&script).map_err(|error| Failure::system(format!("read `{path}`"), &error))?;
            let mut header = Header::parse(&text);
            for (name, entry) in std::mem::take(&mut header.schedules) {
                let entry = ScheduleEntry { runbook: Some(entry.runbook.unwrap_or_else(|| path.clone())), ..entry };
                if let Some((_, other)) = entries.insert(name.clone(), (entry, path.clone())) {
                    let message = format!("the schedule `{name}` is declared in `{other}` and in `{path}`");
                    return Err(Failure::new(FailureKind::Invalid, message).hint("give one of them another name"));
                }
            }
            headers.insert(path, header);
        }
        let mut alike = Alike::default();
        let read = |(name, (entry, place)): (String, (ScheduleEntry, String))| {
            let found = Definition::new(&name, entry).and_then(|mut definition| {
                fits(&definition, &file, headers.get(definition.runbook()))?;
                definition.share(&mut alike);
                Ok((name, definition))
            });
            found.map_err(|failure| Failure { message: format!("{place}: {}", failure.message), ..failure })
        };
        let definitions = entries.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { file, definitions, headers })
    }

    /// The schedule of that name.
    pub(super) fn named(&self, name: &str) -> Result<&Definition, Failure> {
        self.definitions.get(name).ok_or_else(|| {
            let failure = Failure::new(FailureKind::NotFound, format!("there is no schedule `{name}`"));
            match nearest(name, self.definitions.keys().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`runbook schedule list` lists the schedules there are"),
            }
        })
    }

    /// Writes into the ledger what the project says now, unless it is there; returns what is new or says something else now.
    pub(super) fn register(&self, journal: &Journal) -> Result<Vec<&Definition>, Failure> {
        let changes = self.decide(journal, ledger::register)?;
        journal.change_fires(&changes)?;
        let new = changes.iter().filter_map(|change| match change {
            FireChange::Register { name, .. } => self.definitions.get(name),
            _ => None,
        });
        Ok(new.collect())
    }

    /// The same, and gives every fire that was expected until now its row.
    pub(super) fn account(&self, journal: &Journal) -> Result<(), Failure> {
        self.register(journal)?;
        let account =
            |standing: &Standing, world: &World<'_>| ledger::account(standing, world, &mut ledger::Upcoming::default());
        let changes = self.decide(journal, account)?;
        journal.change_fires(&changes)
    }

    /// Closes the fires whose runs have ended. Everything that would start something is the service's.
    pub(super) fn settle(&self, journal: &Journal) -> Result<(), Failure> {
        let mut changes = self.decide(journal, |standing, world| ledger::settle(standing, world).0)?;
        changes.retain(|change| matches!(change, FireChange::Close { .. }));
        journal.change_fires(&changes)
    }

    fn decide(
        &self,
        journal: &Journal,
        decide: impl FnOnce(&Standing, &World<'_>) -> Vec<FireChange>,
    ) -> Result<Vec<FireChange>, Failure> {
        let standing =
            Standing { schedules: journal.schedules()?, open: journal.open_fires()?, seen: journal.clock_seen()? };
        let (now, working) = (SystemClock.read(), HashSet::new());
        Ok(decide(&standing, &World { definitions: &self.definitions, now: &now, working: &working }))
    }

    /// What `runbook` is told to run a schedule's runbook: all but the fire it does it for.
    pub(super) fn words(&self, definition: &Definition) -> Vec<String> {
        words(definition, &self.headers)
    }

    /// What `runbook` is told to run any runbook of the project; fails when it could not run.
    pub(in crate::cli) fn words_of(
        &self,
        runbook: &str,
        environment: Option<&str>,
        parameters: &Map<String, Value>,
    ) -> Result<Vec<String>, Failure> {
        let Some(header) = self.headers.get(runbook) else {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no runbook `{runbook}` in the project")));
        };
        let environment = self.file.environment(environment)?.name;
        if let Some(unknown) = parameters.keys().find(|key| header.param(key).is_none()) {
            return Err(Failure::new(FailureKind::Argument, format!("`{runbook}` has no parameter `{unknown}`")));
        }
        if let Some(missing) = missing(header, parameters) {
            return Err(Failure::new(FailureKind::Argument, format!("`{runbook}` needs the parameter `{missing}`")));
        }
        let mut words = vec!["run".to_owned(), runbook.to_owned(), "--quiet".to_owned()];
        if !self.file.environments.is_empty() {
            words.extend(["--env".to_owned(), environment]);
        }
        words.extend(super::super::run::parameter_words(header, parameters));
        Ok(words)
    }

    /// What the service needs of it.
    pub(in crate::cli) fn for_service(self, root: &Path) -> serve::Project {
        let scripts: BTreeSet<&str> = self.definitions.values().map(Definition::runbook).collect();
        let zones: BTreeSet<PathBuf> = self.definitions.values().map(|definition| definition.zone().file()).collect();
        let files = scripts.into_iter().chain([PROJECT_FILE]).map(|path| root.join(path)).chain(zones).collect();
        let headers = self.headers;
        let words = Box::new(move |definition: &Definition| {
            let mut words = words(definition, &headers);
            words.push("--quiet".to_owned());
            words
        });
        serve::Project { words, files, limits: self.file.service, definitions: Arc::new(self.definitions) }
    }
}

fn words(definition: &Definition, headers: &BTreeMap<String, Header>) -> Vec<String> {
    let mut words = vec!["run".to_owned(), definition.runbook().to_owned()];
    if let Some(environment) = &definition.entry().env {
        words.extend(["--env".to_owned(), environment.clone()]);
    }
    if let Some(header) = headers.get(definition.runbook()) {
        words.extend(super::super::run::parameter_words(header, &definition.entry().parameters));
    }
    words
}

/// The project here, and its run log, made when it is not there.
pub(super) fn here() -> Result<(PathBuf, Registry, Journal), Failure> {
    let root = super::super::places::root_here()?;
    let registry = Registry::load(&root)?;
    let journal = Journal::open(&state_folder(&root))?;
    Ok((root, registry, journal))
}

/// Could its runbook run?
fn fits(definition: &Definition, file: &ProjectFile, header: Option<&Header>) -> Result<(), Failure> {
    let (name, runbook, entry) = (definition.name(), definition.runbook(), definition.entry());
    let invalid = |message: String| Failure::new(FailureKind::Invalid, format!("schedule `{name}`: {message}"));
    let Some(header) = header else { return Err(invalid(format!("there is no runbook `{runbook}` in the project"))) };
    file.environment(entry.env.as_deref())
        .map_err(|failure| Failure { message: format!("schedule `{name}`: {}", failure.message), ..failure })?;
    if let Some(unknown) = entry.parameters.keys().find(|key| header.param(key).is_none()) {
        return Err(invalid(format!("`{runbook}` has no parameter `{unknown}`")));
    }
    match missing(header, &entry.parameters) {
        Some(name) => Err(invalid(format!("`{runbook}` needs the parameter `{name}`"))
            .hint(format!("add it to the schedule: `parameters = {{ {name} = … }}`"))),
        None => Ok(()),
    }
}

/// A parameter that the runbook needs and nobody gives.
fn missing<'h>(header: &'h Header, given: &Map<String, Value>) -> Option<&'h str> {
    let needed = header.params.iter().find(|param| param.default.is_none() && !given.contains_key(&param.name));
    needed.map(|param| param.name.as_str())
}
