//! Whose key is it? What `known_hosts` files and the project's pinned keys say about the key a server shows (`sshd(8)`,
//! `SSH_KNOWN_HOSTS FILE FORMAT`). libssh2 knows neither wildcards nor `@revoked`, so the files are read here.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::key::PublicKey;
use super::pattern;
use crate::failure::{Failure, FailureKind};

/// A key that somebody trusts for a host, or warns of.
#[derive(Clone, Debug)]
pub struct KnownKey {
    /// The key.
    pub key: PublicKey,
    /// Must it never be accepted again?
    pub is_revoked: bool,
    /// Where that is written: `~/.ssh/known_hosts:12`, `runbook.toml`.
    pub place: String,
}

/// What is known about the key a server shows.
#[derive(Debug)]
pub enum Verdict {
    /// It is the one.
    Trusted,
    /// Nothing is known about this host.
    Unknown,
    /// The host is known by these, and this is another one.
    Changed(Vec<KnownKey>),
    /// It must never be accepted again; where that is written.
    Revoked(String),
}

/// Every key that is known for a host.
#[derive(Debug, Default)]
pub struct KnownKeys(Vec<KnownKey>);

impl KnownKeys {
    /// The project's own, and nothing else: a host with pinned keys is known by these alone.
    pub fn pinned(keys: Vec<PublicKey>) -> Self {
        let pinned = |key| KnownKey { key, is_revoked: false, place: "runbook.toml".into() };
        Self(keys.into_iter().map(pinned).collect())
    }

    /// What the files say about a host. A file that is missing says nothing; one that cannot be read is a failure.
    pub fn read(files: &[PathBuf], host: &str, port: u16) -> Result<Self, Failure> {
        let mut keys = Vec::new();
        for file in files {
            match std::fs::read_to_string(file) {
                Ok(text) => keys.extend(lines_about(&text, host, port, file)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::system(format!("read `{}`", file.display()), &error)),
            }
        }
        Ok(Self(keys))
    }

    /// Adds the keys marked as revoked in other sources: a pinned key does not bring one back.
    pub fn with_revoked_of(mut self, other: Self) -> Self {
        self.0.extend(other.0.into_iter().filter(|known| known.is_revoked));
        self
    }

    /// Compares.
    pub fn verdict(&self, key: &PublicKey) -> Verdict {
        let is_it = |known: &&KnownKey| known.key == *key;
        if let Some(revoked) = self.0.iter().find(|known| known.is_revoked && is_it(known)) {
            return Verdict::Revoked(revoked.place.clone());
        }
        let trusted: Vec<&KnownKey> = self.0.iter().filter(|known| !known.is_revoked).collect();
        match trusted.as_slice() {
            [] => Verdict::Unknown,
            known if known.iter().any(is_it) => Verdict::Trusted,
            known => Verdict::Changed(known.iter().map(|known| (*known).clone()).collect()),
        }
    }

    /// The host key algorithms to ask the server for, those of known keys first: a server that has several keys must show
    /// the one that is known.
    pub fn preference(&self) -> String {
        const ALL: &[(&str, &str)] = &[
            ("ssh-ed25519", "ssh-ed25519"),
            ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
            ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
            ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
            ("ssh-rsa", "rsa-sha2-512,rsa-sha2-256,ssh-rsa"),
        ];
        let is_known = |kind: &str| self.0.iter().any(|known| !known.is_revoked && known.key.kind() == kind);
        let (known, others): (Vec<_>, Vec<_>) = ALL.iter().partition(|(kind, _)| is_known(kind));
        known.iter().chain(&others).map(|(_, algorithms)| *algorithms).collect::<Vec<_>>().join(",")
    }
}

/// `host`, or `[host]:port` for another port than 22.
pub fn written_name(host: &str, port: u16) -> String {
    if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") }
}

fn lines_about(text: &str, host: &str, port: u16, file: &Path) -> Vec<KnownKey> {
    let name = written_name(host, port);
    let about = |(index, line): (usize, &str)| {
        let line = line.trim();
        let (marker, line) = match line.split_once(char::is_whitespace) {
            Some((marker, rest)) if marker.starts_with('@') => (marker, rest.trim_start()),
            _ => ("", line),
        };
        // Certificates are not understood: a server that shows a plain key is not known by its authority.
        if line.starts_with('#') || !matches!(marker, "" | "@revoked") {
            return None;
        }
        let (names, key) = line.split_once(char::is_whitespace)?;
        if !is_named(names, &name) {
            return None;
        }
        let key = PublicKey::parse(key).ok()?;
        let place = format!("{}:{}", file.display(), index + 1);
        Some(KnownKey { key, is_revoked: !marker.is_empty(), place })
    };
    text.lines().enumerate().filter_map(about).collect()
}

fn is_named(names: &str, name: &str) -> bool {
    match names.strip_prefix("|1|") {
        Some(hashed) => is_hash_of(hashed, name).unwrap_or(false),
        None => pattern::matches(names.split(','), name),
    }
}

/// `salt|hash`: the name is hidden by HMAC-SHA1.
fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&STANDARD.decode(salt).ok()?).ok()?;
    mac.update(name.to_ascii_lowercase().as_bytes());
    Some(mac.verify_slice(&STANDARD.decode(hash).ok()?).is_ok())
}

/// The failure for a key that is not accepted; `how` trusts it, where that is to be had.
pub fn refused(verdict: Verdict, host: &str, port: u16, name: &str, key: &PublicKey) -> Option<Failure> {
    let place = written_name(host, port);
    let new = |message: String| Failure::new(FailureKind::Unauthorized, message).evidence("key shown", shown(key));
    Some(match verdict {
        Verdict::Trusted => return None,
        Verdict::Unknown => new(format!("`{name}`: the host key of `{place}` is not known"))
            .hint(format!("compare the fingerprint with the one on the host, then: `runbook host trust {name}`")),
        Verdict::Revoked(at) => new(format!("`{name}`: `{place}` shows a host key that is revoked (`{at}`)"))
            .hint("somebody may have stolen this key: do not connect until the host has another one"),
        Verdict::Changed(known) => {
            let known: Vec<String> =
                known.iter().map(|known| format!("{}  {}", shown(&known.key), known.place)).collect();
            new(format!("`{name}`: `{place}` shows another host key than the one that is known"))
                .evidence("keys known", known.join("\n"))
                .hint("somebody may be in the middle: ask whoever runs the host whether it was installed anew")
                .hint(format!("if it was, remove the old key where it stands, and then: `runbook host trust {name}`"))
        }
    })
}

fn shown(key: &PublicKey) -> String {
    format!("{} {}", key.kind(), key.fingerprint())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn verdict(text: &str, host: &str, port: u16) -> String {
        let known = KnownKeys(lines_about(text, host, port, Path::new("k")));
        match known.verdict(&PublicKey::parse(ONE).unwrap()) {
            Verdict::Revoked(_) => "revoked".into(),
            Verdict::Changed(known) => format!("changed {}", known[0].place),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    #[test]
    fn names_are_plain_wild_hashed_or_with_a_port() {
        assert_eq!(verdict(&format!("web-1,10.0.0.5 {ONE} me@here"), "10.0.0.5", 22), "trusted");
        assert_eq!(verdict(&format!("*.example.com,!db.example.com {ONE}"), "web.example.com", 22), "trusted");
        assert_eq!(verdict(&format!("*.example.com,!db.example.com {ONE}"), "db.example.com", 22), "unknown");
        assert_eq!(verdict(&format!("[web-1]:2222 {ONE}"), "web-1", 2222), "trusted");
        assert_eq!(verdict(&format!("web-1 {ONE}"), "web-1", 2222), "unknown");
        // Made by `ssh-keygen -H` of `github.com`.
        let hashed = "|1|ShEjGxONaoBCy0tX6MHW5x2V1HM=|oJUvO66CnMeRwEx8k8R/sohJ7qY=";
        assert_eq!(verdict(&format!("{hashed} {ONE}"), "github.com", 22), "trusted");
        assert_eq!(verdict(&format!("{hashed} {ONE}"), "gitlab.com", 22), "unknown");
    }

    #[test]
    fn another_key_is_a_change_and_a_revoked_one_stays_revoked() {
        assert_eq!(verdict(&format!("# {ONE}\nweb {OTHER}"), "web", 22), "changed k:2");
        assert_eq!(verdict(&format!("web {OTHER}\nweb {ONE}"), "web", 22), "trusted");
        assert_eq!(verdict(&format!("web {ONE}\n@revoked * {ONE}"), "web", 22), "revoked");
        assert_eq!(verdict(&format!("@revoked * {OTHER}\nweb {ONE}"), "web", 22), "trusted");
        assert_eq!(verdict(&format!("@cert-authority * {ONE}"), "web", 22), "unknown");
    }

    #[test]
    fn the_kinds_of_known_keys_are_asked_for_first() {
        let known = KnownKeys(lines_about(&format!("web {ONE}"), "web", 22, Path::new("k")));
        assert!(known.preference().starts_with("ssh-ed25519,ecdsa"));
        assert!(KnownKeys::default().preference().ends_with("ssh-rsa"));
    }
}
