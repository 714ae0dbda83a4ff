//! Signatures with Ed25519 (RFC 8032).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::failure::{Failure, FailureKind};

/// What a public key begins with when it is written down.
const PREFIX: &str = "ed25519:";

/// A key that signs.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The key of this seed; `None` when `public` does not belong to it.
    pub(super) fn of_pair(seed: &[u8], public: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_and_public_key(seed, public).ok().map(Self)
    }

    /// A key that is derived from a longer secret (HKDF with SHA-256, RFC 5869), so that a person has one thing to keep.
    pub(super) fn derived(secret: &[u8]) -> Option<Self> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"runbook");
        let mut seed = [0; 32];
        let key = salt.extract(secret);
        key.expand(&[b"signing key"], hkdf::HKDF_SHA256).ok()?.fill(&mut seed).ok()?;
        Ed25519KeyPair::from_seed_unchecked(&seed).ok().map(Self)
    }

    /// Signs a message, as base64.
    pub(super) fn sign(&self, message: &[u8]) -> String {
        BASE64_STANDARD.encode(self.0.sign(message))
    }

    /// The key that others verify with.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }
}

/// A key that verifies: `ed25519:` and 32 bytes in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// The key of these 32 bytes.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Reads a key as it is written down.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| BASE64_STANDARD.decode(text).ok());
        bytes.filter(|bytes| bytes.len() == 32).map(Self).ok_or_else(|| {
            Failure::new(FailureKind::Invalid, format!("`{text}` is not the public key of a signer"))
                .hint("one begins with `ed25519:`; `runbook secret identity` prints a person's")
        })
    }

    /// Was the message signed with this key?
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = BASE64_STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The public half of an Ed25519 key.
pub(in crate::secrets) fn public_key_of(seed: &[u8]) -> Option<Vec<u8>> {
    Ed25519KeyPair::from_seed_unchecked(seed).ok().map(|pair| pair.public_key().as_ref().to_vec())
}

/// So many bytes that nobody can guess, from the operating system.
pub(in crate::secrets) fn random(count: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; count];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::new(FailureKind::System, "the operating system gives no random numbers"))?;
    Ok(bytes)
}
