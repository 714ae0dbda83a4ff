//! The values of one environment: names to read, values sealed, all of it under one signature.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::people::{People, Person};
use super::place;
use crate::drivers::disk::checksum_of;
use crate::failure::{Failure, FailureKind};
use crate::secrets::check_name;

/// What stands before everything that is signed here, so that no signature can be taken for one of something else.
const DOMAIN: &str = "runbook values v1\n";

/// One sealed value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// When it was set.
    pub changed: Timestamp,
    /// Who set it.
    pub by: String,
    /// How it was made, for one that was generated: `base64:32`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// Armored text of age.
    pub(super) sealed: String,
}

/// What is said about all values together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Which environment they are of.
    pub(super) environment: String,
    /// One more with every change.
    pub(super) serial: u64,
    /// The newest change of the list of people when it was signed.
    pub(super) people: String,
    /// Whom every value is sealed to, by name.
    pub(super) recipients: Vec<String>,
    pub(super) at: Timestamp,
    pub(super) signed_by: String,
    #[serde(default)]
    pub(super) signature: String,
}

/// The file of one environment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Values {
    pub(super) manifest: Manifest,
    #[serde(default)]
    pub(super) secret: BTreeMap<String, Value>,
}

impl Values {
    /// No values yet.
    pub(super) fn empty(environment: &str) -> Self {
        let manifest = Manifest {
            environment: environment.to_owned(),
            serial: 0,
            people: String::new(),
            recipients: Vec::new(),
            at: Timestamp::UNIX_EPOCH,
            signed_by: String::new(),
            signature: String::new(),
        };
        Self { manifest, secret: BTreeMap::new() }
    }

    /// Reads a file. Nothing in it is to be believed before [`verify`](Self::verify).
    pub(super) fn parse(text: &str, file: &str) -> Result<Self, Failure> {
        place::parse(text, file)
    }

    /// Is this the environment's file, as somebody signed it who may?
    pub(super) fn verify(&self, environment: &str, file: &str, people: &People) -> Result<(), Failure> {
        let by = &self.manifest.signed_by;
        let Some(signer) = people.person(by) else {
            return Err(refused(file, &format!("it is signed by `{by}`, who is not on the list of people"))
                .hint(format!("`git log {file}` shows the one before, and `git checkout REVISION {file}` takes it")));
        };
        self.verify_by(environment, file, people, &[signer])
    }

    /// The same for an old file, which somebody may have signed who is no longer on the list.
    pub(super) fn verify_old(&self, environment: &str, file: &str, people: &People) -> Result<(), Failure> {
        let departed = people.departed().iter().map(|departed| &departed.person);
        let by = |person: &&Person| person.name == self.manifest.signed_by;
        let signers: Vec<&Person> = people.persons().chain(departed).filter(by).collect();
        self.verify_by(environment, file, people, &signers)
    }

    fn verify_by(&self, environment: &str, file: &str, people: &People, signers: &[&Person]) -> Result<(), Failure> {
        let Manifest { environment: own, people: list, signed_by: by, signature, .. } = &self.manifest;
        if own != environment {
            return Err(refused(file, &format!("it holds the secrets of `{own}`: somebody moved it")));
        }
        if !people.has(list) {
            return Err(refused(file, "it was signed for another list of people")
                .hint(format!("is {} as new as this file?", super::PEOPLE_FILE)));
        }
        let message = self.message();
        let may =
            signers.iter().filter(|person| person.reads(environment)).filter_map(|person| person.card.signer.as_ref());
        let keys: Vec<_> = may.collect();
        if keys.is_empty() {
            return Err(refused(file, &format!("it is signed by `{by}`, who may not change `{environment}`")));
        }
        if signature.is_empty() {
            return Err(refused(file, "it is not signed"));
        }
        if !keys.iter().any(|key| key.verifies(&message, signature)) {
            return Err(refused(
                file,
                &format!("it is not as `{by}` signed it: something was altered, added or removed"),
            )
            .hint(format!("`git log -p {file}` shows by whom; `git checkout {file}` takes the last good one")));
        }
        self.secret.keys().try_for_each(|name| check_name(name))
    }

    /// Signs everything as it is now.
    pub(super) fn sign(&mut self, people: &People, recipients: &[&Person], identity: &Identity) -> Result<(), Failure> {
        let person = people.who(identity)?;
        let environment = &self.manifest.environment;
        if person.card.signer.is_none() || !person.reads(environment) {
            let message = format!("`{}` may not change the secrets of `{environment}`", person.name);
            return Err(Failure::new(FailureKind::Unauthorized, message));
        }
        self.manifest.serial += 1;
        self.manifest.at = Timestamp::now();
        people.head().clone_into(&mut self.manifest.people);
        self.manifest.recipients = recipients.iter().map(|person| person.name.clone()).collect();
        self.manifest.signed_by.clone_from(&person.name);
        self.manifest.signature = identity.signing()?.sign(&self.message());
        Ok(())
    }

    /// The file.
    pub(super) fn render(&self) -> String {
        let environment = &self.manifest.environment;
        let text = toml::to_string(self).unwrap_or_default();
        format!(
            "# The secrets of `{environment}`, sealed and signed. Changed with `runbook secret`, not by hand.\n\n{text}"
        )
    }

    /// What tells this state of the file from every other one.
    pub(super) fn hash(&self) -> String {
        checksum_of(&[self.message().as_slice(), self.manifest.signature.as_bytes()].concat())
    }

    /// What is signed: everything but the signature.
    fn message(&self) -> Vec<u8> {
        let mut unsigned = self.clone();
        unsigned.manifest.signature.clear();
        format!("{DOMAIN}{}", serde_json::json!(unsigned)).into_bytes()
    }
}

fn refused(file: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Refused, format!("{file} is refused: {why}"))
}
