use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::pattern;
use crate::failure::nearest;
use crate::primitive::{Need, NeedKind};
use crate::project::Environment;

/// One thing that is declared, granted or denied, in the words that `@needs`, `policy.toml` and the command line share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The kind of thing.
    pub kind: NeedKind,
    /// Which of them, with stars.
    pub pattern: String,
    /// What may be done with it; empty for everything that loses no data. `look` stands for every method that only looks.
    pub verbs: Vec<String>,
}

/// A mistake in such words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The bytes that are wrong.
    pub place: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What to write instead, when that is known.
    pub replacement: Option<String>,
}

/// Every kind, in the order in which headers are written.
pub(super) const KINDS: [NeedKind; 8] = [
    NeedKind::Host,
    NeedKind::Docker,
    NeedKind::Http,
    NeedKind::Command,
    NeedKind::Read,
    NeedKind::Write,
    NeedKind::Secret,
    NeedKind::Env,
];

/// The verb for all methods that only look.
pub const LOOK: &str = "look";

/// What is never meant by saying nothing: it takes data away for good.
const LOSES_DATA: &[&str] = &["remove_volume"];

impl Grant {
    /// Reads `docker shop up,exec; secret TOKEN, JWT_*`: entries with `;` between them, each a kind, names with `,`
    /// between them and, for `docker`, verbs. A name with blanks, commas or semicolons stands in double quotes.
    pub fn parse(text: &str) -> Result<Vec<Self>, Mistake> {
        let words = words(text)?;
        let mut grants = Vec::new();
        for entry in words.split(|word| word.is(";")).filter(|entry| !entry.is_empty()) {
            Self::entry(entry, &mut grants)?;
        }
        if grants.is_empty() {
            return Err(Mistake::new(0..text.len(), "nothing is named").hint(FORM));
        }
        Ok(grants)
    }

    fn entry(entry: &[Word], grants: &mut Vec<Self>) -> Result<(), Mistake> {
        let [first, rest @ ..] = entry else { return Ok(()) };
        let kind = kind(first)?;
        let (names, rest) = list(rest);
        if names.is_empty() {
            let message = format!("`{}` names nothing", kind.word());
            return Err(Mistake::new(first.place.clone(), message).hint(example(kind)));
        }
        let (verbs, rest) = if kind == NeedKind::Docker { list(rest) } else { (Vec::new(), rest) };
        if let Some(extra) = rest.first() {
            let hint = if kind == NeedKind::Docker {
                "names have a comma between them, and so have verbs: `docker shop, blog up, exec`".to_owned()
            } else {
                format!("names have a comma between them, and entries a semicolon: `{}`", example(kind))
            };
            return Err(Mistake::new(extra.place.clone(), format!("`{}` is one word too many", extra.text)).hint(hint));
        }
        for name in names {
            check(kind, name)?;
            let verbs = verbs.iter().map(|verb| verb.text.clone()).collect();
            grants.push(Self { kind, pattern: name.text.clone(), verbs });
        }
        Ok(())
    }

    /// With the environment's own values in place of `{url}` or `{shop.url}`, and its name in place of `{env}`.
    pub(super) fn filled(&self, environment: &Environment) -> Self {
        let mut pattern = String::new();
        let mut rest = self.pattern.as_str();
        while let Some((before, (key, after))) = rest.split_once('{').and_then(|(a, b)| Some((a, b.split_once('}')?))) {
            pattern.push_str(before);
            match value(environment, key) {
                Some(value) => pattern.push_str(&value),
                // A key that is not there fits nothing, as it stands.
                None => pattern.push_str(&format!("{{{key}}}")),
            }
            rest = after;
        }
        pattern.push_str(rest);
        Self { pattern, ..self.clone() }
    }

    /// What would have to be granted for this.
    pub fn of(need: &Need) -> Self {
        Self {
            kind: need.kind,
            pattern: need.what.clone(),
            verbs: need.verb.iter().map(|verb| (*verb).to_owned()).collect(),
        }
    }

    /// Is the need inside of it? Relative paths start in `root`; `looks` says that the call changes nothing.
    pub fn covers(&self, root: &Path, need: &Need, looks: bool) -> bool {
        self.kind == need.kind && self.covers_name(root, &need.what) && self.covers_verb(need.verb, looks)
    }

    fn covers_name(&self, root: &Path, what: &str) -> bool {
        match self.kind {
            NeedKind::Docker => pattern::name(&self.pattern, what, true),
            NeedKind::Host | NeedKind::Secret | NeedKind::Env => pattern::name(&self.pattern, what, false),
            NeedKind::Command => pattern::program(&self.pattern, what),
            NeedKind::Http => pattern::url(&self.pattern, what),
            NeedKind::Read | NeedKind::Write => pattern::path(root, &self.pattern, what),
        }
    }

    fn covers_verb(&self, verb: Option<&str>, looks: bool) -> bool {
        let Some(verb) = verb else { return true };
        if self.verbs.is_empty() {
            return !LOSES_DATA.contains(&verb);
        }
        self.verbs.iter().any(|allowed| allowed == verb || (allowed == LOOK && looks))
    }

    /// Could it deny the need? Said without verbs, it denies them all.
    pub fn denies(&self, root: &Path, need: &Need, looks: bool) -> bool {
        let all = self.verbs.is_empty() && self.kind == need.kind && self.covers_name(root, &need.what);
        all || self.covers(root, need, looks)
    }

    /// Does it name this host of a URL, without a star?
    pub fn names_host(&self, host: &str) -> bool {
        self.kind == NeedKind::Http && pattern::names_host(&self.pattern, host)
    }

    /// The folder that a path inside of it must not leave.
    pub fn folder(&self, root: &Path, path: &str) -> PathBuf {
        pattern::fixed_folder(root, &self.pattern, path)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), quoted(&self.pattern))?;
        if !self.verbs.is_empty() {
            write!(f, " {}", self.verbs.join(","))?;
        }
        Ok(())
    }
}

/// Several in one line, those that differ only by name or verb together.
pub fn line(grants: &[Grant]) -> String {
    let mut sorted: Vec<Grant> = grants.to_vec();
    sorted.sort_by_key(|grant| (KINDS.iter().position(|kind| *kind == grant.kind), grant.clone()));
    sorted.dedup();
    // First the verbs of one name, then the names of the same verbs.
    let mut merged: Vec<Grant> = Vec::new();
    for grant in sorted {
        match merged.last_mut().filter(|last| (last.kind, &last.pattern) == (grant.kind, &grant.pattern)) {
            Some(last) if !last.verbs.is_empty() && !grant.verbs.is_empty() => last.verbs.extend(grant.verbs),
            _ => merged.push(grant),
        }
    }
    let mut entries: Vec<(NeedKind, Vec<String>, Vec<String>)> = Vec::new();
    for grant in merged {
        match entries.iter_mut().find(|(kind, _, verbs)| *kind == grant.kind && *verbs == grant.verbs) {
            Some((_, names, _)) => names.push(quoted(&grant.pattern)),
            None => entries.push((grant.kind, vec![quoted(&grant.pattern)], grant.verbs)),
        }
    }
    let entry = |(kind, names, verbs): &(NeedKind, Vec<String>, Vec<String>)| {
        let verbs = if verbs.is_empty() { String::new() } else { format!(" {}", verbs.join(",")) };
        format!("{} {}{verbs}", kind.word(), names.join(", "))
    };
    entries.iter().map(entry).collect::<Vec<_>>().join("; ")
}

impl Mistake {
    fn new(place: Range<usize>, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), hint: None, replacement: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A text or number of an environment's table, by its path: `shop.url`.
fn value(environment: &Environment, path: &str) -> Option<String> {
    if path == "env" {
        return Some(environment.name.clone());
    }
    let mut keys = path.split('.');
    let mut found = environment.values.get(keys.next()?)?;
    for key in keys {
        found = found.get(key)?;
    }
    match found {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

const FORM: &str = "as in `docker shop; http https://shop.example.com; secret POSTGRES_PASSWORD`";

fn example(kind: NeedKind) -> &'static str {
    match kind {
        NeedKind::Host => "host web-*",
        NeedKind::Docker => "docker shop up,exec",
        NeedKind::Command => "command git, rsync",
        NeedKind::Http => "http https://shop.example.com",
        NeedKind::Read => "read config/**",
        NeedKind::Write => "write /srv/www/**",
        NeedKind::Secret => "secret POSTGRES_PASSWORD, JWT_*",
        NeedKind::Env => "env HOME",
    }
}

fn kind(word: &Word) -> Result<NeedKind, Mistake> {
    if let Some(kind) = KINDS.into_iter().find(|kind| word.is(kind.word())) {
        return Ok(kind);
    }
    let mistake = Mistake::new(word.place.clone(), format!("there is no kind of need called `{}`", word.text));
    if let Some(near) = nearest(&word.text, KINDS.iter().map(|kind| kind.word())) {
        let mistake = mistake.hint(format!("did you mean `{near}`?"));
        return Err(Mistake { replacement: Some(near.to_owned()), ..mistake });
    }
    let kinds = KINDS.map(|kind| format!("`{}`", kind.word()));
    Err(mistake.hint(format!("there are {} and {}", kinds[..7].join(", "), kinds[7])))
}

/// Refuses what no call could ever fit.
fn check(kind: NeedKind, name: &Word) -> Result<(), Mistake> {
    let wrong = |message: String, hint: &str| Err(Mistake::new(name.place.clone(), message).hint(hint));
    if kind == NeedKind::Http && name.text != "*" && !name.text.starts_with('{') {
        let rest = name.text.strip_prefix("https://").or_else(|| name.text.strip_prefix("http://"));
        let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
            let message = format!("`{}` is not the beginning of a URL", name.text);
            return wrong(message, "write the scheme too: `http https://shop.example.com`");
        };
        if rest.split('/').next().unwrap_or_default().contains('@') {
            return wrong("a URL here holds no credentials".to_owned(), "name only scheme, host, port and path");
        }
    }
    if matches!(kind, NeedKind::Read | NeedKind::Write) && name.text.starts_with('~') {
        return wrong(format!("`{}` starts with `~`, which only a shell expands", name.text), "write the whole path");
    }
    Ok(())
}

/// A word of an entry, a comma or a semicolon.
struct Word {
    text: String,
    place: Range<usize>,
    is_sign: bool,
}

impl Word {
    fn is(&self, text: &str) -> bool {
        self.text == text && (self.is_sign || text.len() > 1)
    }
}

/// The words up to the first that has no comma before it, and the rest.
fn list(words: &[Word]) -> (Vec<&Word>, &[Word]) {
    let mut names: Vec<&Word> = Vec::new();
    let mut wanted = true;
    for (at, word) in words.iter().enumerate() {
        match word.is(",") {
            true => wanted = true,
            false if wanted => {
                names.push(word);
                wanted = false;
            }
            false => return (names, &words[at..]),
        }
    }
    (names, &[])
}

fn words(text: &str) -> Result<Vec<Word>, Mistake> {
    let mut words: Vec<Word> = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        let end = start + letter.len_utf8();
        match letter {
            ',' | ';' => words.push(Word { text: letter.to_string(), place: start..end, is_sign: true }),
            '"' => {
                let Some(length) = text[end..].find('"') else {
                    return Err(Mistake::new(start..text.len(), "the closing `\"` is missing"));
                };
                let name = text[end..end + length].to_owned();
                words.push(Word { text: name, place: start..end + length + 1, is_sign: false });
                while letters.next_if(|(at, _)| *at <= end + length).is_some() {}
            }
            blank if blank.is_whitespace() => {}
            _ => {
                let rest = &text[start..];
                let length = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).unwrap_or(rest.len());
                words.push(Word { text: rest[..length].to_owned(), place: start..start + length, is_sign: false });
                while letters.next_if(|(at, _)| *at < start + length).is_some() {}
            }
        }
    }
    Ok(words)
}

fn quoted(name: &str) -> String {
    let plain = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"'));
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        Grant::parse(text).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn entries_name_kinds_names_and_verbs() {
        assert_eq!(
            read("host web-*; docker shop; http https://shop.example.com; secret POSTGRES_PASSWORD, JWT_SECRET_KEY"),
            [
                "host web-*",
                "docker shop",
                "http https://shop.example.com",
                "secret POSTGRES_PASSWORD",
                "secret JWT_SECRET_KEY"
            ]
        );
        assert_eq!(read("docker shop, blog up , exec"), ["docker shop up,exec", "docker blog up,exec"]);
        assert_eq!(read("read \"my files, all/**\";"), ["read \"my files, all/**\""]);
        assert_eq!(read("command git,rsync"), ["command git", "command rsync"]);
    }

    #[test]
    fn a_mistake_has_its_place() {
        let wrong = |text: &str| {
            let mistake = Grant::parse(text).unwrap_err();
            (text[mistake.place].to_owned(), mistake.message)
        };
        assert_eq!(wrong("docker shop; htp x"), ("htp".into(), "there is no kind of need called `htp`".into()));
        assert_eq!(wrong("docker"), ("docker".into(), "`docker` names nothing".into()));
        assert_eq!(wrong("secret A B"), ("B".into(), "`B` is one word too many".into()));
        assert_eq!(wrong("http shop.test"), ("shop.test".into(), "`shop.test` is not the beginning of a URL".into()));
        assert_eq!(wrong("read ~/x"), ("~/x".into(), "`~/x` starts with `~`, which only a shell expands".into()));
        assert_eq!(wrong("read \"x"), ("\"x".into(), "the closing `\"` is missing".into()));
        assert_eq!(wrong("  ").1, "nothing is named");
        assert_eq!(Grant::parse("dcoker shop").unwrap_err().replacement.as_deref(), Some("docker"));
    }

    #[test]
    fn verbs_limit_what_may_be_done_and_data_is_never_lost_by_saying_nothing() {
        let grant = |text: &str| Grant::parse(text).unwrap().remove(0);
        let root = Path::new("/p");
        let covers = |text: &str, verb, looks| grant(text).covers(root, &Need::docker("shop", verb), looks);
        assert!(covers("docker shop", "up", false) && covers("docker shop up,exec", "up", false));
        assert!(!covers("docker shop exec", "up", false) && !covers("docker blog", "up", false));
        assert!(covers("docker shop look", "logs", true) && !covers("docker shop look", "up", false));
        assert!(!covers("docker shop", "remove_volume", false));
        assert!(covers("docker shop remove_volume", "remove_volume", false));
        assert!(grant("docker shop").denies(root, &Need::docker("shop", "remove_volume"), false));
    }

    #[test]
    fn the_environment_fills_in_its_values() {
        let values = serde_json::json!({ "url": "http://127.0.0.1:8000", "shop": { "port": 80 } });
        let environment = Environment { values: values.as_object().unwrap().clone(), ..Environment::named("dev") };
        let filled = |text: &str| Grant::parse(text).unwrap()[0].filled(&environment).pattern;
        assert_eq!(filled("http {url}"), "http://127.0.0.1:8000");
        assert_eq!(filled("http http://shop-{env}.test:{shop.port}"), "http://shop-dev.test:80");
        assert_eq!(filled("docker {nothing}-x"), "{nothing}-x");
    }

    #[test]
    fn what_is_missing_is_said_in_one_line() {
        let needs = [
            Need::secret("B"),
            Need::docker("shop", "up"),
            Need::docker("shop", "pull"),
            Need::secret("A"),
            Need::read("my file"),
        ];
        let grants: Vec<Grant> = needs.iter().map(Grant::of).collect();
        let text = line(&grants);
        assert_eq!(text, "docker shop pull,up; read \"my file\"; secret A, B");
        assert_eq!(line(&Grant::parse(&text).unwrap()), text);
    }
}
