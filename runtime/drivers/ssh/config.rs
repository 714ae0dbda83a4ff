//! `~/.ssh/config`, as far as it says how to reach a host (`ssh_config(5)`): what works with `ssh` works here.

use std::path::{Path, PathBuf};

use super::pattern;

/// What the configuration says about one host. As with `ssh`, the first value that is found counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `HostName`: where to connect to, with `%h` still in it.
    pub host_name: Option<String>,
    /// `User`.
    pub user: Option<String>,
    /// `Port`.
    pub port: Option<u16>,
    /// `IdentityFile`, all of them.
    pub identity_files: Vec<String>,
    /// `IdentitiesOnly`: of the agent's keys, only those of `identity_files`.
    pub identities_only: Option<bool>,
    /// `IdentityAgent`: the agent's socket, or `none`.
    pub identity_agent: Option<String>,
    /// `ProxyJump`: the hosts to go through, or `none`.
    pub proxy_jump: Option<String>,
    /// `ProxyCommand`: not supported, so that it has to be refused.
    pub proxy_command: Option<String>,
    /// `HostKeyAlias`: the name its key is known by.
    pub host_key_alias: Option<String>,
    /// `UserKnownHostsFile`, all of them.
    pub known_hosts: Vec<String>,
}

/// Files included by files: more than this is a loop.
const DEEPEST: usize = 8;

/// What the file says about the host that a person would call `ssh NAME` for. A file that is not there says nothing.
pub fn look_up(file: &Path, name: &str) -> Settings {
    let mut settings = Settings::default();
    read(file, name, true, 0, &mut settings);
    settings
}

fn read(file: &Path, name: &str, mut applies: bool, depth: usize, settings: &mut Settings) {
    let Ok(text) = std::fs::read_to_string(file) else { return };
    let outer = applies;
    for line in text.lines() {
        let Some((keyword, words)) = split(line) else { continue };
        match keyword.as_str() {
            "host" => applies = outer && pattern::matches(words.iter().map(String::as_str), name),
            // Conditions that depend on more than the name are taken as not met, as `ssh` does for those it cannot tell.
            "match" => applies = outer && words.first().is_some_and(|word| word.eq_ignore_ascii_case("all")),
            "include" if applies && depth < DEEPEST => {
                for included in words.iter().flat_map(|word| files(file, word)) {
                    read(&included, name, true, depth + 1, settings);
                }
            }
            _ if applies => note(&keyword, &words, settings),
            _ => {}
        }
    }
}

fn note(keyword: &str, words: &[String], settings: &mut Settings) {
    let Some(first) = words.first() else { return };
    let keep = |value: &mut Option<String>| {
        value.get_or_insert_with(|| first.clone());
    };
    match keyword {
        "hostname" => keep(&mut settings.host_name),
        "user" => keep(&mut settings.user),
        "port" => settings.port = settings.port.or_else(|| first.parse().ok()),
        "identityfile" => settings.identity_files.push(first.clone()),
        "identitiesonly" => settings.identities_only = settings.identities_only.or(Some(first == "yes")),
        "identityagent" => keep(&mut settings.identity_agent),
        // `ssh` takes whichever of the two comes first.
        "proxyjump" if settings.proxy_command.is_none() => keep(&mut settings.proxy_jump),
        "proxycommand" if settings.proxy_jump.is_none() => {
            settings.proxy_command.get_or_insert_with(|| words.join(" "));
        }
        "hostkeyalias" => keep(&mut settings.host_key_alias),
        "userknownhostsfile" if settings.known_hosts.is_empty() => settings.known_hosts = words.to_vec(),
        _ => {}
    }
}

/// `Keyword argument …` or `Keyword=argument`; words may be in double quotes.
fn split(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let rest = line[end..].trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in rest.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    Some((line[..end].to_ascii_lowercase(), words))
}

/// The files of an `Include`: relative ones are in the folder of the user's configuration, the last part may have `*`.
fn files(from: &Path, written: &str) -> Vec<PathBuf> {
    let folder = from.parent().unwrap_or(Path::new("."));
    let path = match (written.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => folder.join(written),
    };
    let last = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !last.contains(['*', '?']) {
        return vec![path];
    }
    let entries = path.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let fits = |path: &PathBuf| {
        path.file_name().is_some_and(|name| pattern::matches([last.as_str()], &name.to_string_lossy()))
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(fits).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_counts_and_identity_files_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::create_dir(folder.path().join("more")).unwrap();
        std::fs::write(folder.path().join("more/db.conf"), "Host db\n  User postgres\n").unwrap();
        let text = "Include more/*.conf\n# a comment\nHost web-* !web-9\n  HostName=%h.example.com\n  User \"deploy er\"\n\
                    \tPort 2222\n  IdentityFile ~/.ssh/one\nMatch user nobody\n  Port 1\nHost *\n  Port 22\n  User root\n\
                      identityfile ~/.ssh/two\n  ProxyJump a@jump:23,other\n  ProxyCommand nc %h %p\n";
        std::fs::write(&file, text).unwrap();
        let web = look_up(&file, "web-1");
        assert_eq!(web.host_name.as_deref(), Some("%h.example.com"));
        assert_eq!((web.user.as_deref(), web.port), (Some("deploy er"), Some(2222)));
        assert_eq!(web.identity_files, ["~/.ssh/one", "~/.ssh/two"]);
        assert_eq!((web.proxy_jump.as_deref(), web.proxy_command), (Some("a@jump:23,other"), None));
        let other = look_up(&file, "web-9");
        assert_eq!((other.user.as_deref(), other.port), (Some("root"), Some(22)));
        assert_eq!(look_up(&file, "db").user.as_deref(), Some("postgres"));
        assert_eq!(look_up(&folder.path().join("none"), "web-1"), Settings::default());
    }
}
