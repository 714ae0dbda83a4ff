//! Who to be at an image registry.

use std::path::PathBuf;

use serde_json::Value;

use super::Project;
use crate::failure::{Failure, FailureKind};

/// A user and a password for one registry. A call gets it from its context, which masks and records it.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryCredential {
    /// The user name.
    pub username: String,
    /// The password or token.
    pub password: String,
    /// What the password is called: its environment variable, or the login that the Docker client has kept.
    pub name: String,
}

impl std::fmt::Debug for RegistryCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryCredential").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Project {
    /// The login for a registry (`ghcr.io`, `127.0.0.1:5000`, `docker.io`): `[registry."…"]` of the project file, else
    /// what `docker login` left in `~/.docker/config.json`, else none.
    ///
    /// Credential helpers of the Docker client are not asked.
    pub fn registry_login(&self, registry: &str) -> Result<Option<RegistryCredential>, Failure> {
        let Some(login) = self.file().registries.get(registry) else { return Ok(from_docker_config(registry)) };
        let variable = &login.password_env;
        match std::env::var(variable) {
            Ok(password) if !password.is_empty() => {
                Ok(Some(RegistryCredential { username: login.username.clone(), password, name: variable.clone() }))
            }
            _ => Err(Failure::new(
                FailureKind::Unauthorized,
                format!("no password for the registry `{registry}`: the environment variable `{variable}` is not set"),
            )
            .hint(format!("set `{variable}`, or change [registry.\"{registry}\"] in runbook.toml"))),
        }
    }
}

fn from_docker_config(registry: &str) -> Option<RegistryCredential> {
    let folder = std::env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))?;
    let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
    credential(&text, registry)
}

/// Looks up a registry in the text of a Docker client's `config.json`.
fn credential(config: &str, registry: &str) -> Option<RegistryCredential> {
    let config: Value = serde_json::from_str(config).ok()?;
    let address = if registry == "docker.io" { "index.docker.io" } else { registry };
    let host = |key: &str| {
        let key = key.trim_start_matches("https://").trim_start_matches("http://");
        key.split('/').next().unwrap_or_default().to_owned()
    };
    let (_, entry) = config.get("auths")?.as_object()?.iter().find(|(key, _)| host(key) == address)?;
    let decoded = String::from_utf8(base64(entry.get("auth")?.as_str()?)?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    let name = format!("docker login {registry}");
    (!password.is_empty()).then(|| RegistryCredential { username: username.into(), password: password.into(), name })
}

/// Decodes standard base64 (RFC 4648, section 4), padded or not.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docker_clients_logins_are_read() {
        let config = r#"{ "auths": {
            "https://index.docker.io/v1/": { "auth": "aHViOnRva2Vu" },
            "127.0.0.1:5000": { "auth": "ZGVwbG95ZXI6cH4/OncrOg==" },
            "helper.example.com": {} } }"#;
        let of = |registry| credential(config, registry).map(|found| (found.username, found.password));
        assert_eq!(of("docker.io"), Some(("hub".into(), "token".into())));
        assert_eq!(of("127.0.0.1:5000"), Some(("deployer".into(), "p~?:w+:".into())));
        assert_eq!(of("helper.example.com"), None);
        assert_eq!(of("ghcr.io"), None);
    }
}
