use jiff::Timestamp;
use rustic_core::repofile::KeyId;
use rustic_core::{FileType, KeyOptions};
use serde::{Deserialize, Serialize};

use super::Repository;
use super::repository::host;
use crate::failure::{Failure, FailureKind};

/// A key of a repository: with a password of its own it opens the same data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepositoryKey {
    /// 64 hexadecimal digits.
    pub id: String,
    /// On which machine it was made.
    pub host: Option<String>,
    /// Who made it.
    pub user: Option<String>,
    /// When.
    pub created: Option<Timestamp>,
    /// Is it the one that the repository was opened with?
    pub current: bool,
}

/// As it lies in the repository, but for what is secret about it.
#[derive(Deserialize)]
struct Stored {
    hostname: Option<String>,
    username: Option<String>,
    created: Option<String>,
}

impl Repository {
    /// Every key, the oldest first.
    pub fn keys(&self) -> Result<Vec<RepositoryKey>, Failure> {
        let current = self.engine().key_id().map(|id| id.to_hex()[..].to_owned());
        let mut keys = Vec::new();
        for (id, _) in self.listed(FileType::Key)? {
            let text = self.stored(FileType::Key, &id)?;
            let stored: Stored = serde_json::from_slice(&text).map_err(|error| {
                let short = id.to_hex()[..8].to_owned();
                Failure::new(FailureKind::Invalid, format!("the key {short} of `{}`: {error}", self.shown()))
            })?;
            let id = id.to_hex()[..].to_owned();
            keys.push(RepositoryKey {
                current: current.as_ref() == Some(&id),
                id,
                host: stored.hostname.filter(|name| !name.is_empty()),
                user: stored.username.filter(|name| !name.is_empty()),
                created: stored.created.and_then(|text| text.parse().ok()),
            });
        }
        keys.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.id.cmp(&b.id)));
        Ok(keys)
    }

    /// Adds a key with this password; returns its id.
    pub fn add_key(&self, password: &str) -> Result<String, Failure> {
        if password.is_empty() {
            return Err(Failure::new(FailureKind::Argument, "the new key needs a password"));
        }
        let options = KeyOptions::default().with_created(true).hostname(host());
        let id = self.engine().add_key(password, &options).map_err(|error| self.failed("add a key to", &error))?;
        Ok(id.to_hex()[..].to_owned())
    }

    /// Removes the key whose id begins like this. The one that the repository was opened with stays, so that there always is one.
    pub fn remove_key(&self, name: &str) -> Result<RepositoryKey, Failure> {
        let mut fitting = self.keys()?.into_iter().filter(|key| name.len() >= 4 && key.id.starts_with(name));
        let key = match (fitting.next(), fitting.next()) {
            (Some(only), None) => only,
            (None, _) => {
                return Err(Failure::new(FailureKind::NotFound, format!("there is no key `{name}`"))
                    .hint("`runbook backup key list` shows them; four digits at least"));
            }
            _ => return Err(Failure::new(FailureKind::Argument, format!("several keys begin with `{name}`"))),
        };
        if key.current {
            let message = format!("the repository was opened with the key {}: it cannot be removed", &key.id[..8]);
            return Err(Failure::new(FailureKind::Refused, message)
                .hint("add another, name its password in runbook.toml, and remove this one then"));
        }
        let id: KeyId = key.id.parse().map_err(|_| Failure::new(FailureKind::Invalid, "that is no key"))?;
        self.engine().delete_key(&id).map_err(|error| self.failed("remove a key of", &error))?;
        Ok(key)
    }
}
