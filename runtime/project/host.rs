use std::collections::BTreeMap;

use serde::Deserialize;

/// `[host.NAME]`: a machine that runbooks work on. What is left out comes from `~/.ssh/config`, as for `ssh NAME`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Name or address to connect to; the host's name when left out.
    pub address: Option<String>,
    /// The SSH port.
    pub port: Option<u16>,
    /// The user to log in as.
    pub user: Option<String>,
    /// A private key file; without one, the agent's keys and the usual files are tried.
    pub key: Option<String>,
    /// Hosts to go through, as `ssh -J` takes them: names of this file, or `user@address:port`.
    pub jump: Option<String>,
    /// Who commands are run as, through `sudo -n`.
    #[serde(rename = "become")]
    pub becomes: Option<String>,
    /// The `runbook` of that host, which cuts what backups save there; where its shell finds one when left out.
    pub runbook: Option<String>,
    /// Groups it belongs to.
    pub groups: Vec<String>,
    /// What else is to be known about it.
    pub labels: BTreeMap<String, String>,
    /// Its public keys, as in `ssh-ed25519 AAAA…`; with one, `~/.ssh/known_hosts` is not asked.
    pub host_keys: Vec<String>,
}
