//! A host as it is connected to: everything that the project file, `~/.ssh/config` and the usual defaults say, put together.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::{self, Settings};
use super::key::PublicKey;
use super::known::{self, KnownKeys, Verdict};
use super::words::quoted;
use crate::failure::{Failure, FailureKind};

/// How long a connection may take to come about, of each hop.
const CONNECT: Duration = Duration::from_secs(20);
/// Hosts on the way to a host: more than this is a loop.
const MOST_HOPS: usize = 5;
/// Private keys that are tried where nobody names any, in the order of `ssh`.
const USUAL_KEYS: &[&str] = &["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"];

/// What is asked for: a host by name, and what is known of it beforehand. `~/.ssh/config` fills in the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The name people use for it.
    pub name: String,
    /// Where it is, when that is not its name.
    pub address: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The user to log in as.
    pub user: Option<String>,
    /// Private key files; with one, the agent is asked for no others.
    pub keys: Vec<String>,
    /// The hosts to go through: `bastion`, `me@bastion:2222,inner`.
    pub jump: Option<String>,
    /// Public keys of the host; with one, `known_hosts` is not asked.
    pub host_keys: Vec<String>,
    /// The `runbook` there, when it is not where its shell finds it.
    pub runbook: Option<String>,
}

impl Wish {
    /// A host of which nothing but the name is known: `web-1`, `me@10.0.0.5`, `me@10.0.0.5:2222`.
    pub fn named(text: &str) -> Self {
        let (user, rest) = text.rsplit_once('@').map_or((None, text), |(user, rest)| (Some(user.to_owned()), rest));
        let (name, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            None => match rest.split_once(':') {
                Some((name, port)) if !port.contains(':') => (name, Some(port)),
                _ => (rest, None),
            },
        };
        Self { name: name.to_owned(), user, port: port.and_then(|port| port.parse().ok()), ..Self::default() }
    }
}

/// What is to be thought of the key a host shows.
#[derive(Debug)]
pub enum Standing {
    /// It is known by this key.
    Known,
    /// Nothing is known about it.
    New,
    /// It is known by another key, or this one is revoked.
    Refused(Failure),
}

/// Where to connect to, as whom, with which keys, and by what the host is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The name people use for it.
    pub name: String,
    /// Name or address to connect to.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// Private key files to try.
    pub keys: Vec<PathBuf>,
    /// Of the agent's keys, only those of `keys`.
    pub only_keys: bool,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    /// The name its key is known by.
    pub known_as: String,
    /// Files of known keys, the one that may be added to first.
    pub known_hosts: Vec<PathBuf>,
    /// The project's own list of its keys.
    pub pinned: Vec<String>,
    /// The host to go through.
    pub through: Option<Box<Target>>,
    /// Does `ssh` know all of this by the name alone?
    pub is_of_config: bool,
    /// How long a connection may take to come about.
    pub patience: Duration,
    /// The `runbook` there, when it is not where its shell finds it.
    pub runbook: Option<String>,
}

impl Target {
    /// Puts together what is asked for, what `known` (the project) says of hosts on the way, and `~/.ssh/config`.
    pub fn resolve(wish: &Wish, known: &dyn Fn(&str) -> Option<Wish>) -> Result<Self, Failure> {
        Self::hop(wish, known, 0)
    }

    fn hop(wish: &Wish, known: &dyn Fn(&str) -> Option<Wish>, hops: usize) -> Result<Self, Failure> {
        let name = &wish.name;
        if hops > MOST_HOPS {
            let message = format!("`{name}`: the way to it leads through more than {MOST_HOPS} hosts");
            return Err(Failure::new(FailureKind::Invalid, message).hint("do two hosts name each other as `jump`?"));
        }
        let settings = config::look_up(&home().join(".ssh/config"), name);
        let jump = wish.jump.as_ref().or(settings.proxy_jump.as_ref()).filter(|jump| *jump != "none");
        if let (Some(command), None) = (&settings.proxy_command, jump) {
            let message =
                format!("`{name}`: `~/.ssh/config` reaches it with `ProxyCommand {command}`, which is not supported");
            return Err(
                Failure::new(FailureKind::Invalid, message).hint("use `ProxyJump`, or the key `jump` of the host")
            );
        }
        let through = jump.map(|jump| Self::way(jump, known, hops)).transpose()?;
        for key in &wish.host_keys {
            let wrong = |why| Failure::new(FailureKind::Invalid, format!("`{name}`, `host_keys`: {why}"));
            PublicKey::parse(key).map_err(wrong)?;
        }
        Ok(Self::fill(wish, settings, through))
    }

    /// The last of the hosts to go through, which itself is reached through those before it.
    fn way(jump: &str, known: &dyn Fn(&str) -> Option<Wish>, hops: usize) -> Result<Box<Self>, Failure> {
        let (before, last) = jump.rsplit_once(',').map_or((None, jump), |(before, last)| (Some(before), last));
        let mut wish = Wish::named(last.trim());
        if let Some(entry) = known(&wish.name) {
            wish = Wish { user: wish.user.or(entry.user), port: wish.port.or(entry.port), ..entry };
        }
        if let Some(before) = before {
            wish.jump = Some(before.to_owned());
        }
        Self::hop(&wish, known, hops + 1).map(Box::new)
    }

    fn fill(wish: &Wish, settings: Settings, through: Option<Box<Self>>) -> Self {
        let host_name = settings.host_name.map(|text| text.replace("%h", &wish.name).replace("%%", "%"));
        let address = wish.address.clone().or(host_name).unwrap_or_else(|| wish.name.clone());
        let local = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "root".into());
        let user = wish.user.clone().or(settings.user).unwrap_or_else(|| local.clone());
        let expand = |text: &str| {
            let text = text.replace("%h", &address).replace("%r", &user).replace("%u", &local);
            at_home(&text.replace("%d", &home().to_string_lossy()))
        };
        let (named, only_keys) = if wish.keys.is_empty() {
            (settings.identity_files, settings.identities_only.unwrap_or(false))
        } else {
            (wish.keys.clone(), true)
        };
        let keys: Vec<PathBuf> = if named.is_empty() {
            USUAL_KEYS.iter().map(|key| at_home(key)).filter(|key| key.is_file()).collect()
        } else {
            named.iter().map(|key| expand(key)).collect()
        };
        let agent = match settings.identity_agent.as_deref() {
            Some("none") => None,
            None | Some("SSH_AUTH_SOCK") => std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from),
            Some(path) => Some(expand(path)),
        };
        let own = ["~/.ssh/known_hosts".to_owned(), "~/.ssh/known_hosts2".to_owned()];
        let known_hosts = if settings.known_hosts.is_empty() { own.to_vec() } else { settings.known_hosts };
        let global = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].map(PathBuf::from);
        Self {
            name: wish.name.clone(),
            port: wish.port.or(settings.port).unwrap_or(22),
            known_as: settings.host_key_alias.unwrap_or_else(|| address.clone()),
            known_hosts: known_hosts.iter().map(|file| expand(file)).chain(global).collect(),
            pinned: wish.host_keys.clone(),
            agent: agent.filter(|socket| !socket.as_os_str().is_empty()),
            is_of_config: Wish { runbook: None, ..wish.clone() } == Wish { name: wish.name.clone(), ..Wish::default() },
            patience: CONNECT,
            runbook: wish.runbook.clone(),
            address,
            user,
            keys,
            only_keys,
            through,
        }
    }

    /// Every key it is known by.
    pub fn known_keys(&self) -> Result<KnownKeys, Failure> {
        let read = KnownKeys::read(&self.known_hosts, &self.known_as, self.port)?;
        let pinned: Vec<PublicKey> = self.pinned.iter().filter_map(|key| PublicKey::parse(key).ok()).collect();
        Ok(if pinned.is_empty() { read } else { KnownKeys::pinned(pinned).with_revoked_of(read) })
    }

    /// What is to be thought of a key that it shows.
    pub fn standing(&self, key: &PublicKey) -> Result<Standing, Failure> {
        let verdict = self.known_keys()?.verdict(key);
        if matches!(verdict, Verdict::Unknown) {
            return Ok(Standing::New);
        }
        let refused = known::refused(verdict, &self.known_as, self.port, &self.name, key);
        Ok(refused.map_or(Standing::Known, Standing::Refused))
    }

    /// Adds a key to the user's `known_hosts`, and says where that is.
    pub fn remember(&self, key: &PublicKey) -> Result<PathBuf, Failure> {
        let file = self.known_hosts.first().cloned().unwrap_or_else(|| at_home("~/.ssh/known_hosts"));
        let failed = |error: std::io::Error| Failure::system(format!("write `{}`", file.display()), &error);
        if let Some(folder) = file.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let before = std::fs::read(&file).unwrap_or_default();
        let gap = if before.is_empty() || before.ends_with(b"\n") { "" } else { "\n" };
        let line = format!("{gap}{} {key}\n", known::written_name(&self.known_as, self.port));
        let mut open = std::fs::OpenOptions::new();
        let mut opened = open.append(true).create(true).mode(0o600).open(&file).map_err(failed)?;
        opened.write_all(line.as_bytes()).map_err(failed)?;
        Ok(file)
    }

    /// The line that connects to the same host with `ssh`.
    pub fn ssh_line(&self) -> String {
        if self.is_of_config {
            return format!("ssh {}", quoted(&self.name));
        }
        format!("ssh{} {}", self.ssh_options(), quoted(&format!("{}@{}", self.user, self.address)))
    }

    fn ssh_options(&self) -> String {
        let mut options = String::new();
        if self.port != 22 {
            options.push_str(&format!(" -p {}", self.port));
        }
        if self.only_keys {
            options.push_str(" -o IdentitiesOnly=yes");
        }
        self.named_keys().for_each(|key| options.push_str(&format!(" -i {}", quoted(&key.to_string_lossy()))));
        let Some(through) = &self.through else { return options };
        // `-J` takes no keys of the hosts on the way but those that `ssh` knows by their names.
        let plain = |hop: &Self| hop.is_of_config || hop.named_keys().next().is_none();
        if self.hops().into_iter().all(plain) {
            let named = |hop: &&Self| if hop.is_of_config { hop.name.clone() } else { hop.spot() };
            let way: Vec<String> = self.hops().iter().map(named).collect();
            options.push_str(&format!(" -J {}", quoted(&way.join(","))));
        } else {
            let hop = quoted(&format!("{}@{}", through.user, through.address));
            let command = format!("ProxyCommand=ssh{} -W %h:%p {hop}", through.ssh_options());
            options.push_str(&format!(" -o {}", quoted(&command)));
        }
        options
    }

    /// Private keys that somebody named for it.
    fn named_keys(&self) -> impl Iterator<Item = &PathBuf> {
        self.keys.iter().filter(|key| USUAL_KEYS.iter().all(|usual| at_home(usual) != **key))
    }

    /// `user@address:port`.
    pub fn spot(&self) -> String {
        let address = if self.address.contains(':') { format!("[{}]", self.address) } else { self.address.clone() };
        format!("{}@{address}:{}", self.user, self.port)
    }

    /// The hosts on the way to it, as `ssh -J` takes them.
    pub fn jump(&self) -> Option<String> {
        let hops: Vec<String> = self.hops().iter().map(|hop| hop.spot()).collect();
        Some(hops.join(",")).filter(|jump| !jump.is_empty())
    }

    /// The hosts on the way to it, the first one first.
    pub fn hops(&self) -> Vec<&Self> {
        let Some(through) = &self.through else { return Vec::new() };
        let mut hops = through.hops();
        hops.push(through);
        hops
    }
}

fn home() -> PathBuf {
    std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from)
}

fn at_home(text: &str) -> PathBuf {
    text.strip_prefix("~/").map_or_else(|| Path::new(text).to_owned(), |rest| home().join(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_be_written_with_user_and_port() {
        let parts = |text| {
            let wish = Wish::named(text);
            (wish.user, wish.name, wish.port)
        };
        assert_eq!(parts("web-1"), (None, "web-1".into(), None));
        assert_eq!(parts("me@10.0.0.5:2222"), (Some("me".into()), "10.0.0.5".into(), Some(2222)));
        assert_eq!(parts("[fe80::1]:2222"), (None, "fe80::1".into(), Some(2222)));
        assert_eq!(parts("fe80::1"), (None, "fe80::1".into(), None));
    }

    #[test]
    fn the_way_leads_through_several_hosts_and_not_in_circles() {
        let known = |name: &str| {
            let jump = match name {
                "a" => Some("b".to_owned()),
                "b" => Some("a".to_owned()),
                _ => None,
            };
            Some(Wish { name: name.into(), user: Some("root".into()), jump, ..Wish::default() })
        };
        let wish = Wish { jump: Some("me@one:2222,two".into()), address: Some("10.0.0.9".into()), ..Wish::named("x") };
        let target = Target::resolve(&Wish { user: Some("u".into()), ..wish }, &known).unwrap();
        assert!(target.ssh_line().ends_with("-J me@one:2222,root@two:22 u@10.0.0.9"), "{}", target.ssh_line());
        let bastion =
            |_: &str| Some(Wish { user: Some("me".into()), keys: vec!["/k b".into()], ..Wish::named("gate") });
        let wish = Wish { jump: Some("gate".into()), keys: vec!["/k".into()], ..Wish::named("u@10.0.0.9:2222") };
        let line = Target::resolve(&wish, &bastion).unwrap().ssh_line();
        let way = r"'ProxyCommand=ssh -o IdentitiesOnly=yes -i '\''/k b'\'' -W %h:%p me@gate'";
        assert_eq!(line, format!("ssh -p 2222 -o IdentitiesOnly=yes -i /k -o {way} u@10.0.0.9"));
        assert_eq!(Target::resolve(&Wish::named("web-1"), &known).unwrap().ssh_line(), "ssh web-1");
        let failure = Target::resolve(&known("a").unwrap(), &known).unwrap_err();
        assert!(failure.message.contains("more than 5 hosts"), "{failure}");
    }
}
