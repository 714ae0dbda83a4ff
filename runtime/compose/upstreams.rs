//! Proxies of the project that look a service up only once, or too seldom: they go on asking a container that is gone.
//!
//! nginx resolves a name in `proxy_pass` or `upstream` when it reads its configuration, unless a variable or `resolve`
//! makes it look again. Configurations are found where the project mounts them, or among its configs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::application::Application;
use super::service::Service;

/// A proxy that may not notice that another container serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleUpstream {
    /// The service of the proxy.
    pub proxy: String,
    /// The service behind it.
    pub upstream: String,
    /// `nginx/default.conf:12`
    pub place: String,
    /// For how many seconds it keeps what it looked up; `None` means until it is reloaded.
    pub keeps: Option<u64>,
}

/// How long the engine's own resolver says a name may be kept, in seconds.
const ENGINE_SAYS: u64 = 600;
/// The largest configuration that is read.
const LARGEST: u64 = 1024 * 1024;
/// Directives whose argument is an address to pass requests on to.
const PASSES: [&str; 5] = ["proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass"];

impl StaleUpstream {
    /// What to do about it.
    pub const REMEDY: &str = "write `resolver 127.0.0.11 valid=1s` and a variable in `proxy_pass`, give `up` the option \
        `reload` for the proxy, or raise `settle`";

    /// In words, for whoever deploys the service behind it.
    pub fn shown(&self) -> String {
        let (proxy, upstream, place) = (&self.proxy, &self.upstream, &self.place);
        match self.keeps {
            None => format!(
                "`{proxy}` looks `{upstream}` up only when it reads {place}, and would go on asking the old one"
            ),
            Some(seconds) => format!("`{proxy}` keeps the address of `{upstream}` for {seconds}s ({place})"),
        }
    }
}

/// Everything of that kind in a project; `settle` is how many seconds two containers serve beside each other.
pub fn stale_upstreams(application: &Application, settle: u64) -> Vec<StaleUpstream> {
    let mut found: Vec<StaleUpstream> = Vec::new();
    for service in application.services.values() {
        let texts = configurations(application, service);
        let mut reader = Reader { proxy: &service.name, settle, ..Reader::of(application) };
        for (name, text) in &texts {
            reader.declare(&statements(text), name);
        }
        for (name, text) in &texts {
            reader.read(&statements(text), name);
        }
        found.append(&mut reader.found);
    }
    found
}

/// Texts that look like the configuration of nginx, with their names.
fn configurations(application: &Application, service: &Service) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for config in service.configs.iter().filter_map(|mount| application.configs.get(&mount.source).map(|c| (mount, c)))
    {
        let (mount, object) = config;
        if object.content.is_empty() {
            texts.extend(read(application, Path::new(&object.file)));
        } else {
            texts.push((format!("configs.{}", mount.source), object.content.clone()));
        }
    }
    for mount in service.volumes.iter().filter(|mount| mount.kind == "bind") {
        let source = PathBuf::from(&mount.source);
        if source.is_file() {
            texts.extend(read(application, &source));
        } else if mount.target.contains("nginx") {
            let mut files: Vec<PathBuf> =
                std::fs::read_dir(&source).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
            files.sort();
            texts.extend(files.iter().take(100).filter_map(|file| read(application, file)));
        }
    }
    texts.retain(|(_, text)| PASSES.iter().any(|pass| text.contains(pass)) || text.contains("upstream"));
    texts
}

fn read(application: &Application, path: &Path) -> Option<(String, String)> {
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() || meta.len() > LARGEST {
        return None;
    }
    let shown = path.strip_prefix(&application.directory).unwrap_or(path).display().to_string();
    Some((shown, std::fs::read_to_string(path).ok()?))
}

/// A directive with its arguments, and the blocks it is in.
struct Statement {
    line: usize,
    words: Vec<String>,
    inside: Vec<Vec<String>>,
}

/// The directives of a configuration; what is not nginx's language gives a few that mean nothing.
fn statements(text: &str) -> Vec<Statement> {
    let (mut all, mut inside): (Vec<Statement>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    let (mut words, mut word, mut line, mut begun) = (Vec::new(), String::new(), 1, 1);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let ends = c.is_whitespace() || matches!(c, ';' | '{' | '}');
        let part_of_variable = c == '{' && word.ends_with('$') || (c == '}' && word.contains("${"));
        if ends && !part_of_variable && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        match c {
            '\n' => line += 1,
            c if c.is_whitespace() => {}
            '#' if word.is_empty() => {
                while chars.peek().is_some_and(|next| *next != '\n') {
                    chars.next();
                }
            }
            quote @ ('"' | '\'') if word.is_empty() => {
                for next in chars.by_ref().take_while(|next| *next != quote) {
                    line += usize::from(next == '\n');
                    word.push(next);
                }
                words.push(std::mem::take(&mut word));
            }
            c if part_of_variable => word.push(c),
            ';' => {
                let words = std::mem::take(&mut words);
                all.push(Statement { line: begun, words, inside: inside.clone() });
            }
            '{' => inside.push(std::mem::take(&mut words)),
            '}' => {
                inside.pop();
                words.clear();
            }
            c => {
                if words.is_empty() && word.is_empty() {
                    begun = line;
                }
                word.push(c);
            }
        }
    }
    all
}

struct Reader<'a> {
    proxy: &'a str,
    settle: u64,
    /// Names of `upstream` blocks: a name like a service's means the block.
    upstreams: Vec<String>,
    /// For how long a name is kept that is looked up again, and where that is said.
    keeps: Option<(u64, String)>,
    names: BTreeMap<String, String>,
    found: Vec<StaleUpstream>,
}

impl Reader<'_> {
    fn of(application: &Application) -> Self {
        let mut names = BTreeMap::new();
        for service in application.services.values() {
            let aliases = service.networks.values().flatten().flat_map(|attachment| attachment.aliases.iter());
            for name in aliases.chain([&service.name, &service.container_name]).filter(|name| !name.is_empty()) {
                names.insert(name.clone(), service.name.clone());
            }
        }
        Self { proxy: "", settle: 0, upstreams: Vec::new(), keeps: None, names, found: Vec::new() }
    }

    fn declare(&mut self, statements: &[Statement], name: &str) {
        for statement in statements {
            self.upstreams.extend(
                statement
                    .inside
                    .iter()
                    .filter(|block| block.first().is_some_and(|word| word == "upstream"))
                    .filter_map(|block| block.get(1).cloned()),
            );
            if statement.words.first().is_some_and(|word| word == "resolver") {
                let valid = statement.words.iter().find_map(|word| word.strip_prefix("valid="));
                let seconds = valid.map_or(ENGINE_SAYS, |valid| seconds(valid).unwrap_or(ENGINE_SAYS));
                self.keeps = Some((seconds, format!("{name}:{}", statement.line)));
            }
        }
    }

    fn read(&mut self, statements: &[Statement], name: &str) {
        for statement in statements {
            let Some((directive, arguments)) = statement.words.split_first() else { continue };
            let Some(address) = arguments.first() else { continue };
            let in_upstream = statement.inside.last().and_then(|block| block.first()).is_some_and(|w| w == "upstream");
            let resolves = if directive == "server" && in_upstream {
                arguments.iter().any(|argument| argument == "resolve")
            } else if PASSES.contains(&directive.as_str()) {
                if self.upstreams.iter().any(|upstream| upstream == host(address)) {
                    continue;
                }
                address.contains('$')
            } else if directive == "set" && arguments.len() == 2 {
                // What a variable holds is looked up again and again.
                true
            } else {
                continue;
            };
            let address = if directive == "set" { &arguments[1] } else { address };
            let Some(upstream) = self.names.get(host(address)).filter(|upstream| *upstream != self.proxy) else {
                continue;
            };
            let place = format!("{name}:{}", statement.line);
            let (upstream, proxy) = (upstream.clone(), self.proxy.to_owned());
            let stale = if resolves {
                let kept = self.keeps.clone().filter(|(seconds, _)| *seconds > self.settle);
                kept.map(|(seconds, place)| StaleUpstream { proxy, upstream, place, keeps: Some(seconds) })
            } else {
                Some(StaleUpstream { proxy, upstream, place, keeps: None })
            };
            self.found.extend(stale.filter(|stale| !self.found.contains(stale)));
        }
    }
}

/// The host of `http://api:8000/path`, `api:8000` or `api`.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', ':', '?']).next().unwrap_or_default()
}

/// `30s`, `1m` or a number of seconds.
fn seconds(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| super::Duration::parse(text).map(|time| time.0.as_secs()))
}
