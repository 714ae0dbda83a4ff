//! The documentation is true: its examples run, its links lead somewhere, and the reference names every option.
//!
//! A block of ```` ```rhai ```` in a page runs as a runbook of its own, in a folder with the files that blocks before it
//! give as ```` ```toml file=runbook.toml ````. `no-run` after the language only checks it, `fails` expects exit code 1,
//! `docker` needs an engine, `fragment` is not a runbook of its own and is left alone.

use std::path::{Path, PathBuf};

use crate::harness::{self, Project, Ran};

struct Example {
    page: String,
    line: usize,
    info: String,
    text: String,
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages.extend(self::pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

fn examples(page: &Path) -> Vec<Example> {
    let text = std::fs::read_to_string(page).unwrap();
    let name = page.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
    let mut found: Vec<Example> = Vec::new();
    let mut open: Option<Example> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Example {
                    page: name.clone(),
                    line: index + 1,
                    info: info.trim().into(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(example)) => {
                example.text.push_str(line);
                example.text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// Runs one example in a folder with the page's files.
fn run(example: &Example, files: &[(String, String)]) -> Ran {
    let mut project = Project::script(&example.text);
    for (name, text) in files {
        project = project.file(name, text);
    }
    let checked = example.info.contains("no-run");
    project.runbook(&[if checked { "check" } else { "run" }, "test.rhai"])
}

#[test]
fn every_example_of_the_documentation_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docker = harness::Lab::start().is_some();
    let (mut ran, mut problems) = (0, Vec::new());
    for page in pages(&root.join("docs")).into_iter().chain([root.join("README.md")]).filter(|page| page.exists()) {
        let mut files = Vec::new();
        for example in examples(&page) {
            if let Some((_, name)) = example.info.split_once("file=") {
                files.push((name.to_owned(), example.text));
                continue;
            }
            if !example.info.starts_with("rhai") || example.info.contains("fragment") {
                continue;
            }
            if example.info.contains("docker") && !docker {
                harness::skip("docker");
                continue;
            }
            let wanted = i32::from(example.info.contains("fails"));
            let result = run(&example, &files);
            ran += 1;
            if result.code != wanted {
                problems
                    .push(format!("{}:{}: exit code {}\n{}", example.page, example.line, result.code, result.stderr));
            }
        }
    }
    assert!(problems.is_empty(), "{} of {ran} examples fail:\n\n{}", problems.len(), problems.join("\n\n"));
    assert!(ran > 20, "only {ran} examples found");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    for page in pages(&root.join("docs")).into_iter().chain([root.join("README.md")]).filter(|page| page.exists()) {
        let text = std::fs::read_to_string(&page).unwrap();
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !page.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", page.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_primitive_has_a_page_that_names_its_arguments_and_options() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/primitives");
    let mut missing = Vec::new();
    for primitive in runbook::primitives::all() {
        let spec = primitive.spec();
        let page = spec.receiver.map_or(spec.name, page_of_kind);
        let own = spec.receiver.unwrap_or(spec.name);
        let text =
            [page, own].map(|page| std::fs::read_to_string(folder.join(format!("{page}.md"))).unwrap_or_default());
        let text = text.concat();
        if !text.contains(spec.name) {
            missing.push(format!("docs/primitives/{page}.md: `{}`", spec.qualified_name()));
        }
        let options = spec.options.iter().flat_map(|options| options.options).map(|option| option.name);
        for name in spec.args.iter().map(|arg| arg.name).chain(options) {
            if !text.contains(&format!("`{name}`"))
                && !text.contains(&format!("({name}"))
                && !text.contains(&format!("{name}:"))
            {
                missing.push(format!("docs/primitives/{page}.md: `{name}` of `{}`", spec.qualified_name()));
            }
        }
    }
    assert!(missing.is_empty(), "not documented:\n{}", missing.join("\n"));
}

/// Methods stand on the page of the primitive that returns their handle.
fn page_of_kind(kind: &'static str) -> &'static str {
    let all = runbook::primitives::all();
    let named = all.iter().find(|primitive| primitive.spec().receiver.is_none() && primitive.spec().name == kind);
    let returning = all.iter().find(|primitive| primitive.spec().returns == Some(kind));
    named.or(returning).map_or(kind, |primitive| primitive.spec().receiver.unwrap_or(primitive.spec().name))
}
