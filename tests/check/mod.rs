//! Tests of `runtime/script/check`.

mod cases;
mod command;
mod examples;
mod lints;
mod reference;
mod services;
mod speed;

use std::path::{Path, PathBuf};

use runbook::failure::{Finding, Findings};
use runbook::policy::Narrowing;
use runbook::project::{Environment, ProjectFile};
use runbook::script::Library;
use runbook::script::check::{Request, check};

/// The project the cases belong to.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/cases")
}

/// Environments of that project, by name.
pub fn environments(names: &[&str]) -> Vec<Environment> {
    let file = ProjectFile::load(&project()).unwrap();
    names.iter().map(|name| file.environment(Some(name)).unwrap()).collect()
}

/// Checks a text as if it were a runbook at the top of that project.
pub fn check_text(text: &str, environments: &[Environment]) -> Findings {
    let library = Library::collect(&project(), "try.rhai".into(), text.into());
    let services = |environment: &Environment, files: &[String]| services::services(environment, files);
    check(&Request {
        project: &project(),
        file: &ProjectFile::load(&project()).unwrap(),
        library: &library,
        environments,
        primitives: &runbook::primitives::all(),
        policy: None,
        narrowing: &Narrowing::default(),
        services: &services,
        updates: &|_, _, _| Vec::new(),
    })
}

/// A finding in one line: `12:5 unknown-function there is no …`.
pub fn line(finding: &Finding) -> String {
    format!("{}:{} {} {}", finding.line, finding.column, finding.code, finding.message)
}

/// All findings of a text, one a line, for the environment `prod`.
pub fn found(text: &str) -> Vec<String> {
    check_text(text, &environments(&["prod"])).findings.iter().map(line).collect()
}
