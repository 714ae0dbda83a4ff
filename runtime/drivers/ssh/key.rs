//! Public keys as `known_hosts`, `authorized_keys` and the project file write them, and their fingerprints.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// A public key: `ssh-ed25519 AAAA…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    blob: Vec<u8>,
}

impl PublicKey {
    /// A key as it travels: its type's length and name, then its numbers (RFC 4253, section 6.6).
    pub fn new(blob: impl Into<Vec<u8>>) -> Option<Self> {
        let key = Self { blob: blob.into() };
        (!key.kind().is_empty()).then_some(key)
    }

    /// Reads `ssh-ed25519 AAAA… comment`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let problem = || format!("`{text}` is not a public key: write it as in `ssh-ed25519 AAAAC3Nz…`");
        let (kind, data) = words.next().zip(words.next()).ok_or_else(problem)?;
        let key = STANDARD.decode(data).ok().and_then(Self::new).ok_or_else(problem)?;
        if key.kind() == kind { Ok(key) } else { Err(problem()) }
    }

    /// Its type: `ssh-ed25519`; empty when it is damaged.
    pub fn kind(&self) -> &str {
        let length = self.blob.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes) as usize);
        let name = length.and_then(|length| self.blob.get(4..4 + length));
        name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// The key as it travels.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind(), STANDARD.encode(&self.blob))
    }
}

#[cfg(test)]
mod tests {
    use super::PublicKey;

    #[test]
    fn a_key_is_read_and_its_fingerprint_is_that_of_ssh_keygen() {
        let text = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
        let key = PublicKey::parse(&format!("{text} a comment")).unwrap();
        assert_eq!((key.kind(), key.to_string().as_str()), ("ssh-ed25519", text));
        assert_eq!(key.fingerprint(), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert!(PublicKey::parse("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMq").is_err());
        assert!(PublicKey::parse("nonsense").is_err());
    }
}
