//! What a project file says about who may ask the service.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::SecretName;

/// `[api]`: where the service answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSection {
    /// `127.0.0.1:7423`, or `unix:PATH` relative to the project.
    pub listen: String,
    /// Names besides those of the loopback under which it may be asked: those of a proxy in front of it.
    pub hosts: Vec<String>,
    /// Origins whose pages may ask.
    pub origins: Vec<String>,
    /// Requests a minute for one token.
    pub rate: u32,
}

impl Default for ApiSection {
    fn default() -> Self {
        Self { listen: "127.0.0.1:7423".to_owned(), hosts: Vec::new(), origins: Vec::new(), rate: 600 }
    }
}

/// `[webhook.NAME]`: somebody else's event that starts a runbook.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookEntry {
    /// The runbook, relative to the project.
    pub runbook: String,
    /// The environment it runs on; also that of the key.
    pub env: Option<String>,
    /// What the body is signed with.
    pub key: SecretName,
    /// The header with the signature: `sha256=` and hexadecimal digits, or these alone.
    #[serde(default = "signature")]
    pub signature: String,
    /// The header with the delivery's name.
    #[serde(default = "delivery")]
    pub delivery: String,
    /// Parameters of the runbook, each with the place of its value in the body: `release.tag_name`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Places in the body, and the text that has to be there for anything to happen.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
}

fn signature() -> String {
    "x-hub-signature-256".to_owned()
}

fn delivery() -> String {
    "x-github-delivery".to_owned()
}
