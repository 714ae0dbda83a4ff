//! Values that nobody thought up.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::sealed::random;
use super::text::SecretText;
use crate::failure::{Failure, FailureKind};

/// Letters and digits that nobody mistakes for each other: 56 of them.
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

/// An Ed25519 key in PKCS #8 (RFC 8410) is this and its 32 bytes.
const PRIVATE: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// A public one is this and its 32 bytes.
const PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// What a generated value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// So many random bytes in base64.
    Base64(usize),
    /// So many random bytes, each as two hexadecimal digits.
    Hex(usize),
    /// So many letters and digits.
    Password(usize),
    /// The private key of a signature, as PEM.
    Ed25519,
}

/// A value, and what may be told about it.
pub struct Generated {
    /// The value.
    pub text: SecretText,
    /// The public key that belongs to it, as PEM.
    pub public: Option<String>,
}

impl Kind {
    /// Makes a value of this kind.
    pub fn make(self) -> Result<Generated, Failure> {
        let text = match self {
            Self::Base64(bytes) => BASE64_STANDARD.encode(random(bytes)?),
            Self::Hex(bytes) => hex(&random(bytes)?),
            Self::Password(letters) => password(letters)?,
            Self::Ed25519 => return ed25519(),
        };
        Ok(Generated { text: SecretText::new(text), public: None })
    }
}

/// Every letter is as likely as any other: a byte that would favour some is thrown away.
fn password(letters: usize) -> Result<String, Failure> {
    let most = 256 - 256 % LETTERS.len();
    let mut text = String::new();
    while text.len() < letters {
        let bytes = random(letters)?;
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < most);
        text.extend(fair.take(letters - text.len()).map(|byte| char::from(LETTERS[byte % LETTERS.len()])));
    }
    Ok(text)
}

fn ed25519() -> Result<Generated, Failure> {
    let seed = random(32)?;
    let Some(public) = super::sealed::public_key_of(&seed) else {
        return Err(Failure::new(FailureKind::System, "cannot make a key"));
    };
    let private = pem("PRIVATE KEY", &[PRIVATE.as_slice(), &seed].concat());
    let public = pem("PUBLIC KEY", &[PUBLIC.as_slice(), &public].concat());
    Ok(Generated { text: SecretText::new(private), public: Some(public) })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}

fn pem(label: &str, bytes: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(bytes))
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, size) = text.split_once(':').map_or((text, None), |(kind, size)| (kind, Some(size)));
        let sized = |usual: usize, least: usize, what: &str| {
            let size = size.map_or(Ok(usual), |size| size.parse().map_err(|_| format!("`{size}` is not a number")))?;
            match size {
                _ if size < least => Err(format!("{size} {what} are too few: take {least} at least")),
                _ if size > 4096 => Err(format!("{size} {what} are more than anybody needs: take 4096 at most")),
                _ => Ok(size),
            }
        };
        match kind {
            "base64" => sized(32, 16, "bytes").map(Self::Base64),
            "hex" => sized(32, 16, "bytes").map(Self::Hex),
            "password" => sized(24, 12, "letters").map(Self::Password),
            "ed25519" if size.is_none() => Ok(Self::Ed25519),
            _ => Err("write `base64:32`, `hex:32`, `password:24` or `ed25519`".to_owned()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base64(bytes) => write!(f, "base64:{bytes}"),
            Self::Hex(bytes) => write!(f, "hex:{bytes}"),
            Self::Password(letters) => write!(f, "password:{letters}"),
            Self::Ed25519 => f.write_str("ed25519"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_it_is_read() {
        for (text, canonical) in [
            ("base64", "base64:32"),
            ("base64:48", "base64:48"),
            ("hex", "hex:32"),
            ("password:12", "password:12"),
            ("ed25519", "ed25519"),
        ] {
            assert_eq!(text.parse::<Kind>().expect(text).to_string(), canonical);
        }
        for text in ["", "base65", "base64:", "base64:15", "hex:x", "password:11", "ed25519:32", "hex:4097"] {
            assert!(text.parse::<Kind>().is_err(), "{text}");
        }
    }

    #[test]
    fn values_have_the_size_that_was_asked_for() {
        let length = |kind: &str| {
            let kind: Kind = kind.parse().expect(kind);
            kind.make().expect("made").text.expose().len()
        };
        assert_eq!((length("base64:32"), length("hex:20"), length("password:30")), (44, 40, 30));
        let letters = Kind::Password(4096).make().expect("made");
        assert!(LETTERS.iter().all(|letter| letters.text.expose().contains(char::from(*letter))));
    }
}
