//! What the reference shows passes the check: the examples of the specs, and the script blocks of the documentation.

use std::path::{Path, PathBuf};

use runbook::policy::Narrowing;
use runbook::project::{Environment, ProjectFile};
use runbook::script::Library;
use runbook::script::check::{Request, check};

use super::line;

/// Handles that examples of methods are written about, and how they come to be.
const GIVEN: &[(&str, &str)] = &[("app", "compose(\"shop\")"), ("docker", "docker()")];

/// Findings of a text that stands alone: what it does not show (a project, variables) is not held against it.
fn found(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::collect(folder.path(), "example.rhai".into(), text.into());
    let environments: [Environment; 0] = [];
    let request = Request {
        project: folder.path(),
        file: &ProjectFile::default(),
        library: &library,
        environments: &environments,
        primitives: &runbook::primitives::all(),
        policy: None,
        narrowing: &Narrowing::default(),
        services: &|_, _| None,
        updates: &|_, _, _| Vec::new(),
    };
    let outside = ["undeclared-variable", "missing-file", "unknown-parameter", "unused-parameter"];
    let findings = check(&request).findings.into_iter().filter(|finding| !outside.contains(&finding.code));
    findings.map(|finding| line(&finding)).collect()
}

#[test]
fn examples_of_primitives_pass() {
    let specs = runbook::primitives::specs();
    let mut wrong = Vec::new();
    for spec in &specs {
        let mut text = String::new();
        for (name, maker) in GIVEN.iter().filter(|(name, _)| spec.example.contains(name)) {
            text.push_str(&format!("let {name} = {maker}; "));
        }
        text.push_str(spec.example);
        wrong.extend(
            found(&text).into_iter().map(|finding| format!("{}: {text}\n    {finding}", spec.qualified_name())),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn names_of_options_and_methods_are_no_words_of_the_language() {
    let mut wrong = Vec::new();
    for spec in runbook::primitives::specs() {
        let options = spec.options.map(|options| options.options).unwrap_or_default();
        let options = options.iter().map(|option| format!("let map = #{{ {}: 1 }};", option.name));
        let call = match spec.receiver {
            Some(_) => format!("let f = |x| x.{}();", spec.name),
            None => format!("let f = || {}();", spec.name),
        };
        let texts = options.chain([call]);
        wrong.extend(texts.filter(|text| found(text).iter().any(|finding| finding.contains(" syntax "))));
    }
    assert!(wrong.is_empty(), "a script cannot write this:\n{}", wrong.join("\n"));
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

#[test]
fn script_blocks_of_the_documentation_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for page in pages(&root.join("docs")) {
        let text = std::fs::read_to_string(&page).unwrap();
        for (index, block) in text.split("```rhai\n").skip(1).enumerate() {
            let block = block.split("```").next().unwrap();
            let name = page.strip_prefix(root).unwrap().display();
            wrong.extend(found(block).into_iter().map(|finding| format!("{name}, block {}: {finding}", index + 1)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
