//! The architecture, enforced: who may know whom, which folder owns which crate, and how the tree looks.
//!
//! Each test reports everything that is wrong at once, and what to do about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use regex::Regex;
use runbook::primitive::Spec;

/// What each folder of `runtime/` may know. A folder may always know itself.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("failure", &[]),
    ("drivers", &["failure", "units"]),
    ("project", &["failure", "units"]),
    ("compose", &["failure", "units"]),
    ("secrets", &["project", "compose", "failure", "units", "drivers"]),
    ("primitive", &["drivers", "secrets", "project", "failure", "units"]),
    ("primitives", &["primitive", "drivers", "secrets", "compose", "project", "failure", "units"]),
    ("policy", &["primitive", "project", "failure", "units"]),
    ("journal", &["primitive", "secrets", "failure", "units"]),
    ("report", &["journal", "primitive", "compose", "failure", "units"]),
    ("run", &["primitive", "journal", "policy", "secrets", "project", "drivers", "failure", "units"]),
    ("script", &["run", "policy", "primitive", "project", "failure", "units"]),
    ("schedule", &["journal", "project", "drivers", "failure", "units"]),
    ("notify", &["journal", "secrets", "project", "drivers", "failure", "units"]),
    ("serve", &["journal", "schedule", "project", "drivers", "failure", "units"]),
];

/// Folders that put the others together and may know all of them.
const COMPOSERS: &[&str] = &["cli", "lib", "main"];

/// Crates with one door: only files whose path begins with one of these may name them.
const DOORS: &[(&str, &[&str])] = &[
    ("rhai", &["runtime/script"]),
    ("bollard", &["runtime/drivers/docker"]),
    ("rusqlite", &["runtime/journal", "runtime/drivers/sqlite"]),
    ("clap", &["runtime/cli"]),
    ("reqwest", &["runtime/drivers/http"]),
    ("rustls", &["runtime/drivers/http"]),
    ("ssh2", &["runtime/drivers/ssh"]),
    ("lettre", &["runtime/drivers/mail"]),
    ("http_body_util", &["runtime/serve/api"]),
    ("x509_parser", &["runtime/drivers/http"]),
    ("minijinja", &["runtime/primitives/template"]),
    ("saphyr_parser", &["runtime/compose"]),
    ("cron", &["runtime/schedule/wall"]),
    ("chrono", &["runtime/schedule/wall"]),
    ("annotate_snippets", &["runtime/report"]),
    ("zstd", &["runtime/primitives/backup/import"]),
    ("rustic_cdc", &["runtime/drivers/backup"]),
    ("rustic_core", &["runtime/drivers/backup"]),
    ("aes256ctr_poly1305aes", &["runtime/drivers/backup"]),
    ("age", &["runtime/secrets/sealed"]),
    // And where rustls is told to use it.
    ("ring", &["runtime/secrets/sealed", "runtime/drivers/http"]),
];

/// What may stand at the top of the repository, besides what git ignores.
const TOP: &[&str] = &[
    ".ci",
    ".gitattributes",
    ".github",
    ".gitignore",
    "benches",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "clippy.toml",
    "CONTRIBUTING.md",
    "deny.toml",
    "docs",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "runbooks",
    "runtime",
    "rustfmt.toml",
    "SECURITY.md",
    "stdlib",
    "tests",
];

/// Where a file stops being one subject.
const MOST_LINES: usize = 500;

/// A Rust file with its comments taken out.
struct Source {
    /// Relative to the repository: `runtime/drivers/http.rs`.
    path: String,
    code: String,
    lines: usize,
}

impl Source {
    /// The folder of `runtime/` it belongs to: `drivers`.
    fn folder(&self) -> &str {
        let rest = self.path.trim_start_matches("runtime/");
        rest.split(['/', '.']).next().unwrap()
    }

    /// How deep its module lies under the crate: 2 for `runtime/drivers/http.rs`.
    fn depth(&self) -> usize {
        self.path.matches('/').count()
    }

    fn line_of(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources(folder: &str) -> Vec<Source> {
    let line_comment = Regex::new(r"(?m)^[ \t]*//.*$|[ \t]//[ \t].*$").unwrap();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        Source { path, lines: text.lines().count(), code: line_comment.replace_all(&text, "").into_owned() }
    };
    files(folder, "rs").into_iter().map(read).collect()
}

/// The names after `crate::` at this place: one, or those of a `{…}` group.
fn named(rest: &str) -> Vec<String> {
    let first_word =
        |text: &str| text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
    let Some(group) = rest.strip_prefix('{') else { return first_word(rest).into_iter().collect() };
    let (mut depth, mut item, mut items) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(std::mem::take(&mut item)),
            _ if depth == 0 => item.push(c),
            _ => {}
        }
    }
    items.push(item);
    items.iter().filter_map(|item| first_word(item)).filter(|word| !word.is_empty()).collect()
}

fn nothing_wrong(problems: &[String], advice: &str) {
    assert!(problems.is_empty(), "\n{}\n\n{advice}\n", problems.join("\n"));
}

#[test]
fn folders_know_only_whom_the_architecture_allows() {
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.iter().copied().collect();
    let crate_path = Regex::new(r"(^|[^$\w])crate::").unwrap();
    let mut problems = Vec::new();
    for source in sources("runtime") {
        let folder = source.folder();
        if COMPOSERS.contains(&folder) {
            continue;
        }
        let Some(may) = allowed.get(folder) else {
            problems
                .push(format!("{}: the folder `{folder}` has no line in DIRECTIONS of tests/layout.rs", source.path));
            continue;
        };
        for found in crate_path.find_iter(&source.code) {
            for name in named(&source.code[found.end()..]) {
                // A macro such as `crate::options!` lives at the crate's root whatever folder declares it.
                let is_folder = allowed.contains_key(name.as_str()) || COMPOSERS.contains(&name.as_str());
                if is_folder && name != folder && !may.contains(&name.as_str()) {
                    let line = source.line_of(found.end());
                    problems.push(format!("{}:{line}: `{folder}` must not know `{name}`", source.path));
                }
            }
        }
    }
    nothing_wrong(
        &problems,
        "Move the code to the folder that may know both, or hand the value in from above. The allowed directions are those of \
         docs/architecture.md; a new one is a decision, not a line in this test.",
    );
}

#[test]
fn no_path_climbs_out_of_its_folder_unseen() {
    let climbing = Regex::new(r"(?m)^(?:pub(?:\([^)]*\))? )?use ((?:super::)+)").unwrap();
    let mut problems = Vec::new();
    for source in sources("runtime") {
        for found in climbing.captures_iter(&source.code) {
            if found[1].matches("super::").count() >= source.depth()
                && source.depth() > 0
                && source.path != "runtime/lib.rs"
            {
                let line = source.line_of(found.get(0).unwrap().start());
                problems.push(format!("{}:{line}: `{}` reaches the crate's root", source.path, &found[1]));
            }
        }
    }
    nothing_wrong(&problems, "Write `crate::…`, so that the direction can be read and checked.");
}

#[test]
fn each_mandated_crate_has_one_door() {
    let mut problems = Vec::new();
    for source in sources("runtime") {
        for (name, doors) in DOORS {
            let used = Regex::new(&format!(r"\b{name}::")).unwrap();
            let inside = doors.iter().any(|door| {
                let rest = source.path.strip_prefix(door);
                rest.is_some_and(|rest| rest.starts_with(['/', '.']))
            });
            if let Some(found) = used.find(&source.code).filter(|_| !inside) {
                let line = source.line_of(found.start());
                problems.push(format!("{}:{line}: `{name}` is used outside of {}", source.path, doors.join(", ")));
            }
        }
    }
    nothing_wrong(&problems, "Give the owning folder a small type or function for it, and use that.");
}

#[test]
fn only_report_writes_to_the_terminal() {
    let writes = Regex::new(r"\b(e?print(ln)?!|dbg!|io::std(out|err)\(\)(\.is_terminal)?)").unwrap();
    let mut problems = Vec::new();
    for source in sources("runtime").iter().filter(|source| !matches!(source.folder(), "report" | "main")) {
        // Asking what a stream is writes nothing.
        for found in writes.find_iter(&source.code).filter(|found| !found.as_str().ends_with("is_terminal")) {
            problems.push(format!("{}:{}: `{}`", source.path, source.line_of(found.start()), found.as_str()));
        }
    }
    nothing_wrong(&problems, "Emit an event, return a value, or write through `report::stdout()` in a command.");
}

#[test]
fn no_file_is_longer_than_one_subject() {
    let runtime = sources("runtime");
    let all = runtime
        .iter()
        .chain(&sources("tests"))
        .filter(|source| source.lines > MOST_LINES)
        .map(|source| format!("{}: {} lines", source.path, source.lines))
        .collect::<Vec<_>>();
    let mut lengths: Vec<usize> = runtime.iter().map(|source| source.lines).collect();
    lengths.sort_unstable();
    eprintln!(
        "{} files in runtime/, median {} lines, longest {}",
        lengths.len(),
        lengths[lengths.len() / 2],
        lengths[lengths.len() - 1]
    );
    nothing_wrong(
        &all,
        &format!("Split by responsibility: one subject per file, {MOST_LINES} lines at most, about 120 on average."),
    );
}

#[test]
fn names_say_what_is_inside() {
    let vague = ["util", "utils", "common", "helper", "helpers", "misc", "shared", "stuff", "lib2"];
    let mut problems = Vec::new();
    for folder in ["runtime", "tests", "stdlib", "runbooks"] {
        for extension in ["rs", "rhai"] {
            for path in files(folder, extension) {
                let path = path.strip_prefix(root()).unwrap();
                let parts = path.iter().map(|part| part.to_string_lossy());
                if parts
                    .map(|part| part.split('.').next().unwrap().to_owned())
                    .any(|part| vague.contains(&part.as_str()))
                {
                    problems.push(path.display().to_string());
                }
            }
        }
    }
    nothing_wrong(
        &problems,
        "Name it after what it holds; what has no name of its own belongs to the one who uses it.",
    );
}

#[test]
fn modules_of_the_runtime_are_a_file_beside_a_folder() {
    let paths: Vec<String> = sources("runtime").into_iter().map(|source| source.path).collect();
    let wrong: Vec<String> = paths.into_iter().filter(|path| path.ends_with("/mod.rs")).collect();
    nothing_wrong(&wrong, "Rename `name/mod.rs` to `name.rs`.");
}

#[test]
fn the_top_of_the_repository_stays_as_it_is() {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let ignored: BTreeSet<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let extra: Vec<String> = entries
        .filter(|name| name != ".git" && !ignored.contains(name.as_str()) && !TOP.contains(&name.as_str()))
        .collect();
    nothing_wrong(&extra, "Move it into a folder that is there. A stranger must see the architecture from `ls`.");
}

/// Where a primitive may be described and tested: under its own name; a method under the kind of its handle, or where
/// the primitive is that returns such a handle.
fn subjects(spec: &Spec) -> Vec<&'static str> {
    let all = runbook::primitives::all();
    let mut names: Vec<&'static str> = vec![spec.receiver.unwrap_or(spec.name)];
    let mut kinds: Vec<&str> = spec.receiver.into_iter().collect();
    while let Some(kind) = kinds.pop() {
        for giver in all.iter().map(|primitive| primitive.spec()).filter(|spec| spec.returns == Some(kind)) {
            let name = giver.receiver.unwrap_or(giver.name);
            if !names.contains(&name) {
                names.push(name);
                kinds.extend(giver.receiver);
            }
        }
    }
    names
}

/// Every primitive that none of the files for its subjects mentions.
fn unmentioned(files_of: impl Fn(&str) -> Vec<PathBuf>, wanted: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for primitive in runbook::primitives::all() {
        let spec = primitive.spec();
        let subjects = subjects(spec);
        let texts =
            subjects.iter().flat_map(|subject| files_of(subject)).filter_map(|path| fs::read_to_string(path).ok());
        if !texts.into_iter().any(|text| text.contains(spec.name)) {
            let places: Vec<String> = subjects.iter().map(|subject| wanted.replace('*', subject)).collect();
            problems.push(format!("{}: not in {}", spec.qualified_name(), places.join(" or ")));
        }
    }
    problems
}

#[test]
fn every_primitive_has_a_page_that_names_it() {
    let problems =
        unmentioned(|subject| vec![root().join(format!("docs/primitives/{subject}.md"))], "docs/primitives/*.md");
    nothing_wrong(
        &problems,
        "Write the page: what it does, arguments, options, what it returns, errors, an example that runs.",
    );
}

#[test]
fn every_primitive_has_tests_that_call_it() {
    let places = |subject: &str| {
        let stem = format!("tests/primitives/{subject}");
        let mut places = files(&stem, "rs");
        places.push(root().join(format!("{stem}.rs")));
        places
    };
    nothing_wrong(
        &unmentioned(places, "tests/primitives/*.rs"),
        "Test its success and each of its failures, with real parts.",
    );
}

#[test]
fn unsafe_code_and_panics_stay_forbidden() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lines = [
        "unsafe_code = \"forbid\"",
        "unwrap_used = \"deny\"",
        "panic = \"deny\"",
        "todo = \"deny\"",
        "dbg_macro = \"deny\"",
        "print_stdout = \"deny\"",
    ];
    let missing: Vec<String> =
        lines.iter().filter(|line| !manifest.contains(*line)).map(|line| (*line).to_owned()).collect();
    nothing_wrong(&missing, "Put these lints back into Cargo.toml.");
}
