use std::fmt;
use std::str::FromStr;

use super::openssh;
use super::signature::PublicKey;
use crate::failure::{Failure, FailureKind};

/// Who can open what is sealed: an age key (`age1…`) or an SSH key (`ssh-ed25519 …`, `ssh-rsa …`).
#[derive(Clone)]
pub struct Recipient {
    text: String,
    key: Key,
}

#[derive(Clone)]
enum Key {
    Age(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
}

impl Recipient {
    /// Reads a public key; the comment of an SSH key is left out.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut words = text.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        let invalid = |why: &str| {
            Failure::new(FailureKind::Argument, format!("`{text}` is not a public key that can be sealed to: {why}"))
                .hint("an age key begins with `age1`, an SSH key with `ssh-ed25519` or `ssh-rsa`")
        };
        if first.starts_with("age1") {
            let key = age::x25519::Recipient::from_str(first).map_err(invalid)?;
            return Ok(Self { text: first.to_owned(), key: Key::Age(key) });
        }
        let text = format!("{first} {}", second.unwrap_or_default());
        let key = age::ssh::Recipient::from_str(&text).map_err(|error| invalid(&why(&error)))?;
        Ok(Self { text, key: Key::Ssh(key) })
    }

    pub(super) fn of_ssh(key: age::ssh::Recipient) -> Self {
        Self { text: key.to_string(), key: Key::Ssh(key) }
    }

    pub(super) fn of_age(key: age::x25519::Recipient) -> Self {
        Self { text: key.to_string(), key: Key::Age(key) }
    }

    pub(super) fn key(&self) -> &dyn age::Recipient {
        match &self.key {
            Key::Age(key) => key,
            Key::Ssh(key) => key,
        }
    }
}

fn why(error: &age::ssh::ParseRecipientKeyError) -> String {
    use age::ssh::ParseRecipientKeyError as Error;
    match error {
        Error::RsaModulusTooLarge => "the RSA key is too long".to_owned(),
        Error::RsaModulusTooSmall => "an RSA key needs 2048 bits at least".to_owned(),
        Error::Unsupported(kind) => format!("keys of the kind `{kind}` cannot be sealed to"),
        Error::Ignore | Error::Invalid(_) => "it is malformed".to_owned(),
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What a person hands out so that others let them in: `age1… ed25519:…`, or an SSH public key.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// What is sealed to.
    pub recipient: Recipient,
    /// What signatures are verified with; `None` for somebody who can only read.
    pub signer: Option<PublicKey>,
}

impl Card {
    /// Reads a card. An SSH key of the kind Ed25519 signs as well.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let recipient = Recipient::parse(text)?;
        let written = text.split_whitespace().find(|word| word.starts_with("ed25519:"));
        let signer = match written {
            Some(key) => Some(PublicKey::parse(key)?),
            None => openssh::public_key(&recipient.text),
        };
        Ok(Self { recipient, signer })
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.signer {
            Some(signer) if openssh::public_key(&self.recipient.text).is_none() => {
                write!(f, "{} {signer}", self.recipient)
            }
            _ => write!(f, "{}", self.recipient),
        }
    }
}
