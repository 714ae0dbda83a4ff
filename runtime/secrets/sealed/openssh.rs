//! The secret of an Ed25519 key as OpenSSH stores it (`PROTOCOL.key` of OpenSSH).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::signature::{PublicKey, SigningKey};

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const KIND: &[u8] = b"ssh-ed25519";

/// Is the text a private key that is protected by a passphrase?
pub(super) fn has_passphrase(text: &str) -> bool {
    if text.contains("Proc-Type: 4,ENCRYPTED") || text.contains("BEGIN ENCRYPTED PRIVATE KEY") {
        return true;
    }
    unwrapped(text).is_some_and(|bytes| Reader(&bytes).header().is_some_and(|cipher| cipher != b"none"))
}

/// The signing key in a private key file; `None` when it is of another kind or protected by a passphrase.
pub(super) fn signing_key(text: &str) -> Option<SigningKey> {
    let bytes = unwrapped(text)?;
    let mut outer = Reader(&bytes);
    if outer.header()? != b"none" {
        return None;
    }
    outer.string()?; // how the passphrase becomes a key
    outer.string()?; // with which parameters
    (outer.number()? == 1).then_some(())?;
    outer.string()?; // the public key
    let mut inner = Reader(outer.string()?);
    (inner.number()? == inner.number()?).then_some(())?;
    (inner.string()? == KIND).then_some(())?;
    let public = inner.string()?;
    let pair = inner.string()?;
    SigningKey::of_pair(pair.get(..32)?, public)
}

/// The key in a line as in `authorized_keys`: `ssh-ed25519 AAAA… comment`.
pub(super) fn public_key(line: &str) -> Option<PublicKey> {
    let bytes = BASE64_STANDARD.decode(line.strip_prefix("ssh-ed25519 ")?.split(' ').next()?).ok()?;
    let mut reader = Reader(&bytes);
    (reader.string()? == KIND).then_some(())?;
    reader.string().filter(|key| key.len() == 32).map(PublicKey::of_bytes)
}

fn unwrapped(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let body: String = body.split_whitespace().collect();
    BASE64_STANDARD.decode(body).ok()
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    /// The name of the cipher, after the magic bytes.
    fn header(&mut self) -> Option<&'b [u8]> {
        self.0 = self.0.strip_prefix(MAGIC)?;
        self.string()
    }

    fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    fn string(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}
