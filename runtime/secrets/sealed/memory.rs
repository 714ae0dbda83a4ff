//! What this machine has seen of the project's secrets, so that nobody can take it back.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::people::People;
use super::store::replace;
use super::values::Values;
use crate::failure::{Failure, FailureKind};
use crate::units::FileMode;

const FILE: &str = "secrets.json";

/// The newest state that was seen of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    serial: u64,
    hash: String,
}

/// What was seen so far. It is written only when there is something new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    #[serde(default)]
    people: Option<Seen>,
    #[serde(default)]
    environments: BTreeMap<String, Seen>,
    #[serde(skip)]
    folder: PathBuf,
}

impl Memory {
    /// Reads what the state folder remembers.
    pub(super) fn load(folder: &Path) -> Result<Self, Failure> {
        let file = folder.join(FILE);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
            Err(error) => return Err(Failure::system(format!("read `{}`", file.display()), &error)),
        };
        let memory: Self = serde_json::from_str(&text).map_err(|error| {
            Failure::new(FailureKind::Invalid, format!("`{}` is damaged: {error}", file.display()))
                .hint("it remembers how new the secrets are that this machine has seen; look why before you remove it")
        })?;
        Ok(Self { folder: folder.to_owned(), ..memory })
    }

    /// Refuses a list of people that is not the known one with more changes behind it, and remembers it otherwise.
    pub(super) fn admit_people(&mut self, people: &People, file: &str) -> Result<(), Failure> {
        if let Some(seen) = &self.people {
            if people.serial() < seen.serial {
                let (now, then) = (people.serial(), seen.serial);
                return Err(self.refused(file, &format!("it has {now} changes, and this machine has seen {then}")));
            }
            if people.at(seen.serial) != Some(&seen.hash) {
                return Err(self.refused(file, "it is not the list that this machine knows"));
            }
        }
        self.people = Some(Seen { serial: people.serial(), hash: people.head().to_owned() });
        Ok(())
    }

    /// Refuses values that are older than what is known, and remembers them otherwise.
    pub(super) fn admit_values(&mut self, values: &Values, file: &str) -> Result<(), Failure> {
        let environment = &values.manifest.environment;
        let now = Seen { serial: values.manifest.serial, hash: values.hash() };
        match self.environments.get(environment) {
            Some(seen) if now.serial < seen.serial => {
                let what = format!("its serial is {}, and this machine has seen {}", now.serial, seen.serial);
                return Err(self.refused(file, &what));
            }
            Some(seen) if now.serial == seen.serial && now.hash != seen.hash => {
                let what = format!("this machine has seen another one with the serial {}", now.serial);
                return Err(self
                    .refused(file, &what)
                    .hint("two people changed it at once: take one, and change it again"));
            }
            _ => self.environments.insert(environment.clone(), now),
        };
        Ok(())
    }

    /// Refuses that a file is gone that was there.
    pub(super) fn admit_absence(&self, environment: Option<&str>, file: &str) -> Result<(), Failure> {
        let seen = match environment {
            Some(environment) => self.environments.contains_key(environment),
            None => self.people.is_some(),
        };
        if seen { Err(self.refused(file, "it is gone, and this machine has seen it")) } else { Ok(()) }
    }

    /// Writes down what is new. Another process may have seen something newer meanwhile, and is not overruled.
    pub(super) fn save(&self) -> Result<(), Failure> {
        if *self == Self::load(&self.folder)? {
            return Ok(());
        }
        let failed = |error: std::io::Error| Failure::system(format!("write into `{}`", self.folder.display()), &error);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)?;
        // What a machine has seen is its own business, and would be no memory if git could take it back.
        let ignore = self.folder.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(ignore, "*\n").map_err(failed)?;
        }
        let folder = std::fs::File::open(&self.folder).map_err(failed)?;
        flock(&folder, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        let mut newest = Self::load(&self.folder)?;
        newest.people = newer(newest.people.take(), self.people.clone());
        for (environment, seen) in &self.environments {
            let known = newest.environments.remove(environment);
            newest.environments.extend(newer(known, Some(seen.clone())).map(|seen| (environment.clone(), seen)));
        }
        replace(&self.folder, FILE, &serde_json::to_string_pretty(&newest).unwrap_or_default(), Some(FileMode(0o600)))
    }

    fn refused(&self, file: &str, why: &str) -> Failure {
        Failure::new(FailureKind::Refused, format!("{file} is refused: {why}"))
            .hint(format!("`git log {file}` shows who took it back, and when; `git pull` may bring the newest"))
            .hint(format!("if this is meant, `{}` is what remembers", self.folder.join(FILE).display()))
    }
}

fn newer(known: Option<Seen>, seen: Option<Seen>) -> Option<Seen> {
    match (known, seen) {
        (Some(known), Some(seen)) => Some(if known.serial > seen.serial { known } else { seen }),
        (known, seen) => known.or(seen),
    }
}
