//! Who the user is: keys of the agent first, then key files, as `ssh` does it. Passwords are never asked for.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ssh2::{ErrorCode, Session};

use super::fault;
use super::key::PublicKey;
use super::target::Target;
use crate::failure::{Failure, FailureKind};

/// Servers end the connection after six attempts: what comes later would only be told of a broken connection.
const MOST_ATTEMPTS: usize = 6;
/// `LIBSSH2_ERROR_AUTHENTICATION_FAILED` and `LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED`: this key is not the one.
const NOT_THIS_KEY: &[ErrorCode] = &[ErrorCode::Session(-18), ErrorCode::Session(-19)];

/// Logs in, or says what was tried and what became of it.
pub fn log_in(session: &Session, target: &Target) -> Result<(), Failure> {
    let mut attempts = Attempts { session, target, tried: Vec::new(), story: Vec::new() };
    if attempts.agent_logs_in() || attempts.files_log_in() {
        return Ok(());
    }
    // Asked last: where a key is taken, that is one question less on the way to every host.
    let methods = session.auth_methods(&target.user).unwrap_or_default().to_owned();
    if session.authenticated() {
        return Ok(());
    }
    if !methods.is_empty() && !methods.split(',').any(|method| method == "publickey") {
        attempts.story.push(format!("the server takes no keys, only {methods}"));
    }
    Err(attempts.failure())
}

struct Attempts<'a> {
    session: &'a Session,
    target: &'a Target,
    tried: Vec<PublicKey>,
    story: Vec<String>,
}

impl Attempts<'_> {
    fn agent_logs_in(&mut self) -> bool {
        let Some(socket) = &self.target.agent else { return false };
        let agent = self.session.agent().and_then(|mut agent| {
            agent.set_identity_path(socket)?;
            agent.connect()?;
            agent.list_identities()?;
            Ok(agent)
        });
        let identities = agent.and_then(|agent| agent.identities().map(|identities| (agent, identities)));
        let (agent, identities) = match identities {
            Ok(found) => found,
            Err(error) => {
                self.story.push(format!("the agent at `{}` does not answer: {}", socket.display(), error.message()));
                return false;
            }
        };
        let wanted: Vec<PublicKey> = self.target.keys.iter().filter_map(|key| public_half(key)).collect();
        for identity in &identities {
            let Some(key) = PublicKey::new(identity.blob()) else { continue };
            if (self.target.only_keys && !wanted.contains(&key)) || self.tried.len() >= MOST_ATTEMPTS {
                continue;
            }
            self.tried.push(key.clone());
            match agent.userauth(&self.target.user, identity) {
                Ok(()) => return true,
                Err(error) => {
                    let what = format!("{} {} of the agent ({})", key.kind(), key.fingerprint(), identity.comment());
                    self.story.push(format!("{what}: {}", refusal(&error)));
                }
            }
        }
        false
    }

    fn files_log_in(&mut self) -> bool {
        for path in &self.target.keys {
            let shown = path.display();
            if public_half(path).is_some_and(|key| self.tried.contains(&key)) {
                continue;
            }
            if self.tried.len() >= MOST_ATTEMPTS {
                self.story.push(format!("`{shown}`: not tried, a server takes {MOST_ATTEMPTS} attempts at most"));
                continue;
            }
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) => {
                    self.story.push(format!("`{shown}`: {}", Failure::reason(&error)));
                    continue;
                }
            };
            if is_locked(&text) {
                self.story
                    .push(format!("`{shown}`: protected by a passphrase; `ssh-add {shown}` gives it to the agent"));
                continue;
            }
            self.tried.extend(public_half(path));
            match self.session.userauth_pubkey_file(&self.target.user, None, path, None) {
                Ok(()) => return true,
                Err(error) => self.story.push(format!("`{shown}`: {}", refusal(&error))),
            }
        }
        false
    }

    fn failure(self) -> Failure {
        let target = self.target;
        let message = format!("`{}` ({}): the host does not let `{}` in", target.name, target.spot(), target.user);
        let failure = Failure::new(FailureKind::Unauthorized, message);
        let failure = if self.story.is_empty() {
            failure.hint("there is no key: start an agent with one, or name a file with the key `key` of the host")
        } else {
            failure.evidence("what was tried", self.story.join("\n"))
        };
        failure
            .hint(format!("is the public key in `~{}/.ssh/authorized_keys` on the host?", target.user))
            .hint(fault::same_with_ssh(target))
    }
}

fn refusal(error: &ssh2::Error) -> String {
    if NOT_THIS_KEY.contains(&error.code()) { "refused".into() } else { error.message().to_lowercase() }
}

/// The public key that lies beside a private one.
fn public_half(private: &Path) -> Option<PublicKey> {
    let mut path = private.as_os_str().to_owned();
    path.push(".pub");
    PublicKey::parse(&std::fs::read_to_string(path).ok()?).ok()
}

/// Does reading this private key take a passphrase?
fn is_locked(text: &str) -> bool {
    if text.contains("ENCRYPTED") {
        return true;
    }
    let Some(body) = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----") else { return false };
    let body: String = body.1.lines().take_while(|line| !line.starts_with("-----")).collect();
    // `openssh-key-v1\0`, then the name of the cipher.
    STANDARD
        .decode(body)
        .is_ok_and(|key| key.starts_with(b"openssh-key-v1\0") && !key[15..].starts_with(b"\0\0\0\x04none"))
}
