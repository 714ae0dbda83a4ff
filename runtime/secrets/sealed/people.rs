//! Who may read and who may change: a list of changes, each signed by somebody whom those before it allow to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::place;
use super::recipient::{Card, Recipient};
use super::signature::PublicKey;
use crate::drivers::disk::checksum_of;
use crate::failure::{Failure, FailureKind};

/// What stands before everything that is signed here, so that no signature can be taken for one of something else.
const DOMAIN: &str = "runbook people v1\n";

/// Somebody who may read values, and perhaps change them.
#[derive(Clone, Debug)]
pub struct Person {
    /// What others call them.
    pub name: String,
    /// Their public keys.
    pub card: Card,
    /// The environments they may read; all of them when `None`.
    pub environments: Option<Vec<String>>,
    /// Since when.
    pub since: Timestamp,
}

impl Person {
    /// May this person read the values of an environment?
    pub fn reads(&self, environment: &str) -> bool {
        self.environments.as_ref().is_none_or(|own| own.iter().any(|name| name == environment))
    }

    /// Does this person have everything that another one has?
    fn covers(&self, other: Option<&Vec<String>>) -> bool {
        match other {
            None => self.environments.is_none(),
            Some(names) => names.iter().all(|name| self.reads(name)),
        }
    }

    fn may_change_the_list(&self) -> bool {
        self.card.signer.is_some() && self.environments.is_none()
    }
}

/// Somebody who was taken off the list, and still knows what was not changed since.
#[derive(Clone, Debug)]
pub struct Departed {
    /// Who it was.
    pub person: Person,
    /// Since when this person is off the list.
    pub left: Timestamp,
}

/// One change of the list, as it stands in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    serial: u64,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    add: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remove: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environments: Option<Vec<String>>,
    by: String,
    #[serde(default)]
    signature: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    change: Vec<Entry>,
}

/// Everybody on the list, and how it came to be.
#[derive(Clone, Debug, Default)]
pub struct People {
    entries: Vec<Entry>,
    hashes: Vec<String>,
    persons: BTreeMap<String, Person>,
    departed: Vec<Departed>,
}

impl People {
    /// Reads a list and verifies every change of it, the first one by `root`.
    pub(super) fn parse(text: &str, file: &str, root: &PublicKey) -> Result<Self, Failure> {
        let parsed: Text = place::parse(text, file)?;
        if parsed.change.is_empty() {
            return Err(Failure::new(FailureKind::Invalid, format!("{file} names nobody")));
        }
        let mut people = Self::default();
        for entry in parsed.change {
            let serial = entry.serial;
            people.apply(entry, root).map_err(|mut failure| {
                failure.message = format!("{file}: change {serial}: {}", failure.message);
                failure
            })?;
        }
        Ok(people)
    }

    /// A list that one person begins, signed with that person's own key.
    pub(super) fn begin(name: &str, identity: &Identity) -> Result<Self, Failure> {
        let mut people = Self::default();
        people.push(addition(name, identity.card(), None), name, identity)?;
        Ok(people)
    }

    /// Puts somebody on the list, signed by `identity`.
    pub(super) fn add(
        &mut self,
        name: &str,
        card: &Card,
        environments: Option<Vec<String>>,
        identity: &Identity,
    ) -> Result<(), Failure> {
        let by = self.who(identity)?.name.clone();
        self.push(addition(name, card, environments), &by, identity)
    }

    /// Takes somebody off the list, signed by `identity`.
    pub(super) fn remove(&mut self, name: &str, identity: &Identity) -> Result<(), Failure> {
        let by = self.who(identity)?.name.clone();
        self.push(Entry { remove: Some(name.to_owned()), ..blank() }, &by, identity)
    }

    /// The person on the list whose identity this is.
    pub fn who(&self, identity: &Identity) -> Result<&Person, Failure> {
        self.persons.values().find(|person| person.card.recipient == identity.card().recipient).ok_or_else(|| {
            let message = format!("the identity `{}` is not on the list of people of this project", identity.origin());
            Failure::new(FailureKind::Unauthorized, message)
                .hint(format!("somebody on it lets you in: runbook secret recipient add NAME '{}'", identity.card()))
        })
    }

    /// Everybody on the list, by name.
    pub fn persons(&self) -> impl Iterator<Item = &Person> {
        self.persons.values()
    }

    /// A person by name.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.persons.get(name)
    }

    /// Who may read an environment.
    pub fn readers(&self, environment: &str) -> Vec<&Person> {
        self.persons.values().filter(|person| person.reads(environment)).collect()
    }

    /// Who was taken off the list, in that order.
    pub fn departed(&self) -> &[Departed] {
        &self.departed
    }

    /// What no other project has: the first change.
    pub(super) fn project(&self) -> &str {
        self.hashes.first().map_or("", String::as_str)
    }

    /// The newest change.
    pub(super) fn head(&self) -> &str {
        self.hashes.last().map_or("", String::as_str)
    }

    /// How many changes there were.
    pub(super) fn serial(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// The change of that number, counted from 1.
    pub(super) fn at(&self, serial: u64) -> Option<&str> {
        let place = usize::try_from(serial.checked_sub(1)?).ok()?;
        self.hashes.get(place).map(String::as_str)
    }

    /// Is this one of the changes?
    pub(super) fn has(&self, hash: &str) -> bool {
        self.hashes.iter().any(|known| known == hash)
    }

    /// The list as its file.
    pub(super) fn render(&self) -> String {
        let mut text = String::from(
            "# Who may read and change the secrets of this project. Every change is signed by somebody whom those above it\n\
             # allow to. Written by `runbook secret recipient`, not by hand.\n",
        );
        for entry in &self.entries {
            let table = toml::to_string(entry).unwrap_or_default();
            text.push_str(&format!("\n[[change]]\n{table}"));
        }
        text
    }

    fn push(&mut self, entry: Entry, by: &str, identity: &Identity) -> Result<(), Failure> {
        let mut entry = Entry { serial: self.serial() + 1, at: Timestamp::now(), by: by.to_owned(), ..entry };
        entry.signature = identity.signing()?.sign(&self.message(&entry));
        let root = self.entries.first().and_then(|first| first.signer.clone());
        let root = root.or_else(|| entry.signer.clone()).unwrap_or_default();
        self.apply(entry, &PublicKey::parse(&root)?)
    }

    /// What of a change is signed: all of it, and with the one before it everything that came before.
    fn message(&self, entry: &Entry) -> Vec<u8> {
        let unsigned = Entry { signature: String::new(), ..entry.clone() };
        let json = serde_json::json!([self.head(), unsigned]);
        format!("{DOMAIN}{json}").into_bytes()
    }

    /// Verifies a change and makes it.
    fn apply(&mut self, entry: Entry, root: &PublicKey) -> Result<(), Failure> {
        let refused = |why: String| Failure::new(FailureKind::Refused, why);
        if entry.serial != self.serial() + 1 {
            return Err(refused(format!("its serial should be {}: a change was removed or moved", self.serial() + 1)));
        }
        let message = self.message(&entry);
        let signer = if self.entries.is_empty() { root.clone() } else { self.allowed(&entry)? };
        if !signer.verifies(&message, &entry.signature) {
            return Err(refused(format!(
                "it is not signed by `{}`: it was altered, or somebody else wrote it",
                entry.by
            )));
        }
        match (&entry.add, &entry.remove) {
            (Some(name), None) => self.admit(name, &entry, root)?,
            (None, Some(name)) => self.dismiss(name, &entry)?,
            _ => return Err(refused("it neither adds nor removes one person".to_owned())),
        }
        self.hashes.push(checksum_of(&[message.as_slice(), entry.signature.as_bytes()].concat()));
        self.entries.push(entry);
        Ok(())
    }

    /// The key of whoever made a change, if that person may.
    fn allowed(&self, entry: &Entry) -> Result<PublicKey, Failure> {
        let refused = |why: String| Failure::new(FailureKind::Refused, why);
        let by = &entry.by;
        let Some(person) = self.persons.get(by) else {
            return Err(refused(format!("`{by}`, who made it, is not on the list")));
        };
        let touched = match entry.remove.as_ref().and_then(|name| self.persons.get(name)) {
            Some(removed) => removed.environments.as_ref(),
            None => entry.environments.as_ref(),
        };
        match &person.card.signer {
            Some(signer) if person.covers(touched) => Ok(signer.clone()),
            Some(_) => Err(refused(format!("`{by}` may not do this for environments that `{by}` cannot read"))),
            None => Err(refused(format!("`{by}` may read, but not change anything"))),
        }
    }

    fn admit(&mut self, name: &str, entry: &Entry, root: &PublicKey) -> Result<(), Failure> {
        let refused = |why: String| Err(Failure::new(FailureKind::Refused, why));
        let is_plain = |c: char| c.is_alphanumeric() || "-_.@+".contains(c);
        if name.is_empty() || !name.chars().all(is_plain) {
            return refused(format!("{name:?} cannot be a name: letters, digits and `-_.@+` can"));
        }
        if self.persons.contains_key(name) {
            return refused(format!("`{name}` is on the list already"));
        }
        let recipient = Recipient::parse(entry.recipient.as_deref().unwrap_or_default())?;
        if let Some(same) = self.persons.values().find(|person| person.card.recipient == recipient) {
            return refused(format!("the key of `{name}` is on the list already, as `{}`", same.name));
        }
        let signer = entry.signer.as_deref().map(PublicKey::parse).transpose()?;
        if self.entries.is_empty()
            && (signer.as_ref() != Some(root) || entry.by != name || entry.environments.is_some())
        {
            return refused("the list does not begin with the person whose key is pinned".to_owned());
        }
        let card = Card { recipient, signer };
        let environments = entry.environments.clone();
        self.persons.insert(name.to_owned(), Person { name: name.to_owned(), card, environments, since: entry.at });
        Ok(())
    }

    fn dismiss(&mut self, name: &str, entry: &Entry) -> Result<(), Failure> {
        let Some(person) = self.persons.remove(name) else {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no `{name}` on the list")));
        };
        if !self.persons.values().any(Person::may_change_the_list) {
            return Err(Failure::new(FailureKind::Refused, format!("without `{name}` nobody could change this list")));
        }
        self.departed.push(Departed { person, left: entry.at });
        Ok(())
    }
}

fn addition(name: &str, card: &Card, environments: Option<Vec<String>>) -> Entry {
    Entry {
        add: Some(name.to_owned()),
        recipient: Some(card.recipient.to_string()),
        signer: card.signer.as_ref().map(ToString::to_string),
        environments,
        ..blank()
    }
}

fn blank() -> Entry {
    Entry {
        serial: 0,
        at: Timestamp::UNIX_EPOCH,
        add: None,
        remove: None,
        recipient: None,
        signer: None,
        environments: None,
        by: String::new(),
        signature: String::new(),
    }
}
