//! The configuration hashes of Compose: SHA-256 over the JSON that Go writes.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::resource::{Network, Volume};
use super::service::Service;

impl Service {
    /// The text that [`Service::config_hash`] hashes: the service without what does not concern its containers.
    pub fn hashed_text(&self) -> String {
        let mut service = self.clone();
        service.build = None;
        service.pull_policy = String::new();
        service.scale = None;
        if let Some(deploy) = &mut service.deploy {
            deploy.replicas = None;
        }
        service.depends_on.clear();
        service.profiles.clear();
        go_json(&service)
    }

    /// The value of the label `com.docker.compose.config-hash`.
    ///
    /// Two equal hashes mean equal containers; two different ones mean only that fields must be compared, because the version of Compose that
    /// wrote the other may write some field differently.
    pub fn config_hash(&self) -> String {
        sha256(&self.hashed_text())
    }
}

impl Network {
    /// The value of the label `com.docker.compose.config-hash`.
    pub fn config_hash(&self) -> String {
        sha256(&go_json(self))
    }
}

impl Volume {
    /// The value of the label `com.docker.compose.config-hash`.
    pub fn config_hash(&self) -> String {
        let mut volume = self.clone();
        if volume.driver.is_empty() {
            volume.driver = "local".into();
        }
        sha256(&go_json(&volume))
    }
}

/// JSON as Go writes it: as everybody does, with `<`, `>`, `&` and two line separators escaped for web pages.
fn go_json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::with_capacity(64), |hex, byte| hex + format!("{byte:02x}").as_str())
}
