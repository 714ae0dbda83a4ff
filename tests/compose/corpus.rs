//! Agreement with compose-go, the reference implementation, over a corpus of real compose files, where that is present.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use runbook::compose::{LoadRequest, Problem, load};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    id: String,
    dir: String,
    text: String,
    load_ok: bool,
    standalone: bool,
    config: Value,
    hashes: Option<Vec<(String, String, String, String)>>,
    error: String,
}

/// How a case came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Agreed,
    Differed,
    RefusedAlone,
    AcceptedAlone,
    RefusedWithoutPlace,
}

/// What the whole corpus came to.
#[derive(Debug, Default)]
struct Counts {
    outcomes: BTreeMap<Outcome, usize>,
    hashes: usize,
    equal_hashes: usize,
    /// Applications whose `to_yaml` loads to the same again.
    printed: usize,
    detail: bool,
}

impl Counts {
    fn detail(&self, text: &str) {
        if self.detail {
            eprintln!("{text}");
        }
    }
}

#[test]
fn the_corpus_loads_as_the_reference_loads_it() {
    let Some(path) = corpus() else {
        eprintln!("skipped: no corpus of compose files (set RUNBOOK_CORPUS)");
        return;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut counts = Counts { detail: std::env::var_os("RUNBOOK_CORPUS_DETAIL").is_some(), ..Counts::default() };
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        if !case.standalone {
            continue;
        }
        let (outcome, detail) = run(&case, &mut counts);
        *counts.outcomes.entry(outcome).or_default() += 1;
        if outcome != Outcome::Agreed {
            counts.detail(&format!("{outcome:?} {}\n  {detail}", case.id));
        }
    }
    eprintln!("{counts:?}");
    let count = |outcome| counts.outcomes.get(&outcome).copied().unwrap_or_default();
    assert!(count(Outcome::Agreed) >= 607, "{counts:?}");
    // The reference loads these two, and fails to print what it loaded.
    assert!(count(Outcome::AcceptedAlone) <= 2, "{counts:?}");
    assert_eq!(count(Outcome::RefusedAlone) + count(Outcome::Differed), 0, "{counts:?}");
    assert!(counts.hashes >= 1184 && counts.equal_hashes == counts.hashes, "{counts:?}");
    assert!(counts.printed >= 460, "{counts:?}");
}

/// A name that is missing or wrong has no line of its own, nor has a file that is empty.
fn is_about_the_project(problem: &Problem) -> bool {
    problem.file == "project" || problem.message == "is empty"
}

fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = std::env::var_os("RUNBOOK_CORPUS")
        .map_or_else(|| root.join("../shared/corpora/compose/cases.jsonl.gz"), PathBuf::from);
    path.is_file().then_some(path)
}

fn run(case: &Case, counts: &mut Counts) -> (Outcome, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compose.yaml");
    std::fs::write(&file, &case.text).unwrap();
    let request = LoadRequest {
        project: case.config["name"].as_str().unwrap_or_default().to_owned(),
        files: vec![file],
        project_directory: PathBuf::from(&case.dir),
        // What the environment of the reference's run held.
        environment: [("HOME", "/root"), ("CONFIG", "1")].map(|(name, value)| (name.into(), value.into())).into(),
        ..LoadRequest::default()
    };
    let application = match load(&request) {
        Ok(_) if !case.load_ok => return (Outcome::AcceptedAlone, case.error.clone()),
        Err(problems) if !case.load_ok => {
            let placed = problems.iter().all(|problem| problem.line > 0 || is_about_the_project(problem));
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return (if placed { Outcome::Agreed } else { Outcome::RefusedWithoutPlace }, lines.join("\n  "));
        }
        Ok(application) => application,
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return (Outcome::RefusedAlone, lines.join("\n  "));
        }
    };
    for (kind, name, hash, text) in case.hashes.iter().flatten() {
        let ours = match kind.as_str() {
            "service" => application.services.get(name).map(|service| (service.config_hash(), service.hashed_text())),
            "network" => application.networks.get(name).map(|network| (network.config_hash(), String::new())),
            _ => application.volumes.get(name).map(|volume| (volume.config_hash(), String::new())),
        };
        counts.hashes += 1;
        match ours {
            Some((ours, _)) if ours == *hash => counts.equal_hashes += 1,
            ours => {
                return (
                    Outcome::Differed,
                    format!("{kind} {name}:\n  ours   {}\n  theirs {text}", ours.unwrap_or_default().1),
                );
            }
        }
    }
    let mut ours = application.to_json();
    let printed = application.to_yaml();
    std::fs::write(&request.files[0], &printed).unwrap();
    match load(&request) {
        Ok(again) if again.to_json() == ours => counts.printed += 1,
        Ok(again) => counts.detail(&format!("printed and loaded again: {}\n  {ours}", again.to_json())),
        Err(problems) => counts.detail(&format!("printed: {problems:?}\n{printed}")),
    }
    // The reference leaves models out of its JSON, not out of its YAML.
    ours.as_object_mut().unwrap().remove("models");
    if ours == case.config {
        (Outcome::Agreed, String::new())
    } else {
        (Outcome::Differed, format!("ours   {ours}\n  theirs {}", case.config))
    }
}
