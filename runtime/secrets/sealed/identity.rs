use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::secrecy::ExposeSecret;

use super::openssh;
use super::recipient::{Card, Recipient};
use super::signature::{PublicKey, SigningKey};
use crate::failure::{Failure, FailureKind};

/// Names the file with the identity, or holds an age key itself.
const VARIABLE: &str = "RUNBOOK_IDENTITY";

/// How an age key begins.
const AGE_KEY: &str = "AGE-SECRET-KEY-1";

/// A person's private key: it opens what is sealed to that person, and signs what the person changes.
///
/// An age key signs with a key derived from it, an SSH key of the kind Ed25519 signs itself, one of the kind RSA only opens.
pub struct Identity {
    key: Key,
    card: Card,
    signing: Option<SigningKey>,
    origin: String,
}

enum Key {
    Age(age::x25519::Identity),
    Ssh(Box<age::ssh::Identity>),
}

/// `$XDG_CONFIG_HOME/runbook/identity`, else `~/.config/runbook/identity`.
pub fn default_identity_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("runbook/identity"))
}

impl Identity {
    /// The identity of whoever runs this: from `$RUNBOOK_IDENTITY`, else from the usual file; `None` when there is neither.
    pub fn find() -> Result<Option<Self>, Failure> {
        match std::env::var(VARIABLE) {
            Ok(key) if key.starts_with(AGE_KEY) => Self::parse(&key, &format!("${VARIABLE}")).map(Some),
            Ok(file) if !file.is_empty() => Self::read(Path::new(&file)).map(Some),
            _ => match default_identity_file().filter(|file| file.exists()) {
                Some(file) => Self::read(&file).map(Some),
                None => Ok(None),
            },
        }
    }

    /// The same, where it is needed.
    pub fn require() -> Result<Self, Failure> {
        Self::find()?.ok_or_else(|| {
            let file = default_identity_file().map(|file| file.display().to_string());
            Failure::new(FailureKind::Unauthorized, "there is no identity on this machine to open secrets with")
                .hint(format!("`runbook secret identity --new` makes one in `{}`", file.unwrap_or_default()))
                .hint(format!("or set `{VARIABLE}` to the file of an age key or an SSH private key"))
        })
    }

    /// Reads an identity file: an age key as `age-keygen` writes it, or an SSH private key without a passphrase.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let shown = file.display().to_string();
        let failed = |error: std::io::Error| Failure::system(format!("read the identity `{shown}`"), &error);
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            let message = format!("others may read the identity `{shown}`: its mode is {:04o}", mode & 0o7777);
            return Err(Failure::new(FailureKind::Refused, message).hint(format!("chmod 600 {shown}")));
        }
        Self::parse(&std::fs::read_to_string(file).map_err(failed)?, &shown)
    }

    /// Reads the text of an identity; `origin` is what messages call it.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Failure> {
        let age_key = text.lines().map(str::trim).find(|line| line.starts_with(AGE_KEY));
        match age_key {
            Some(line) => match age::x25519::Identity::from_str(line) {
                Ok(key) => Ok(Self::of_age(key, origin)),
                Err(_) => Err(Failure::new(FailureKind::Invalid, format!("the age key in `{origin}` is malformed"))),
            },
            None => Self::of_ssh(text, origin),
        }
    }

    /// A new age key.
    pub fn generate() -> Self {
        Self::of_age(age::x25519::Identity::generate(), "a new identity")
    }

    /// Writes the identity into a new file that only its owner may read; `age` reads it as well.
    pub fn write_new(&self, file: &Path) -> Result<(), Failure> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::new(FailureKind::Conflict, format!("`{}` exists already", file.display()))
                    .hint("an identity is never overwritten: what is sealed to it would be lost")
            }
            _ => Failure::system(format!("write the identity `{}`", file.display()), &error),
        };
        let Key::Age(key) = &self.key else { return Ok(()) };
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
        let text = format!("# public key: {}\n{}\n", self.card, key.to_string().expose_secret());
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)
    }

    /// What this person hands out.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The key that others verify this person's changes with.
    pub fn signer(&self) -> Result<PublicKey, Failure> {
        self.signing().map(SigningKey::public)
    }

    /// Where it was found.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn key(&self) -> &dyn age::Identity {
        match &self.key {
            Key::Age(key) => key,
            Key::Ssh(key) => &**key,
        }
    }

    /// The key to sign with.
    pub(super) fn signing(&self) -> Result<&SigningKey, Failure> {
        self.signing.as_ref().ok_or_else(|| {
            let message = format!("the identity `{}` can open secrets but not sign a change", self.origin);
            Failure::new(FailureKind::Unauthorized, message).hint(
                "an SSH key signs when it is of the kind Ed25519; `runbook secret identity --new` makes one that does",
            )
        })
    }

    fn of_age(key: age::x25519::Identity, origin: &str) -> Self {
        let signing = SigningKey::derived(key.to_string().expose_secret().as_bytes());
        let card =
            Card { recipient: Recipient::of_age(key.to_public()), signer: signing.as_ref().map(SigningKey::public) };
        Self { key: Key::Age(key), card, signing, origin: origin.to_owned() }
    }

    fn of_ssh(text: &str, origin: &str) -> Result<Self, Failure> {
        let invalid = |why: String| Failure::new(FailureKind::Invalid, format!("the identity `{origin}` {why}"));
        if openssh::has_passphrase(text) {
            return Err(invalid("is protected by a passphrase, which cannot be asked for here".to_owned())
                .hint("`runbook secret identity --new` makes an identity without one"));
        }
        let key = age::ssh::Identity::from_buffer(text.as_bytes(), None)
            .map_err(|_| invalid("is neither an age key nor an SSH private key".to_owned()))?;
        let recipient = age::ssh::Recipient::try_from(key.clone())
            .map_err(|_| invalid("is an SSH key of a kind that cannot be sealed to".to_owned()))?;
        let signing = openssh::signing_key(text);
        let card = Card { recipient: Recipient::of_ssh(recipient), signer: signing.as_ref().map(SigningKey::public) };
        Ok(Self { key: Key::Ssh(Box::new(key)), card, signing, origin: origin.to_owned() })
    }
}
