//! Static checking: everything that can be known to be wrong with a runbook before it runs, all at once.
//!
//! A program is compiled (nothing is registered, nothing runs), turned into a small tree of our own, and walked once;
//! every family of lints sees every place with the names visible there. Primitives are known from their `Spec`s, so a
//! new primitive is checked the day it lands. A lint that is not sure stays silent: a false alarm would stop a run.

mod compile;
mod cx;
mod finding;
mod guess;
mod known;
mod lints;
mod lower;
mod names;
mod program;
mod rules;
mod scope;
mod source;
mod syntax;
mod tree;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;

pub use finding::{Finding, Fix, Severity};
pub use rules::{RULES, Rule};

use super::{Library, header};
use crate::primitive::Spec;
use crate::project::Environment;

/// What to check, and against what.
pub struct Request<'a> {
    /// The project's folder.
    pub project: &'a Path,
    /// The runbook and its modules: exactly the texts that would run.
    pub library: &'a Library,
    /// The environments it must be right for; none when it is not known where it will run.
    pub environments: &'a [Environment],
    /// The primitives there are.
    pub specs: &'a [&'static Spec],
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Sorted by file, the runbook's own first, and place.
    pub findings: Vec<Finding>,
    /// The texts of all files of the program, by path.
    pub files: BTreeMap<String, String>,
}

impl Report {
    /// Is there anything that must stop a run?
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl Report {
    /// Adds what another program's check found; what both found (in a module they share) stays once.
    pub fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        for finding in other.findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }
}

/// The specs of all primitives, as a request takes them.
pub fn all_specs() -> Vec<&'static Spec> {
    crate::primitives::all().iter().map(|primitive| primitive.spec()).collect()
}

/// Checks a runbook and every module it imports. Nothing is executed.
pub fn check(request: &Request<'_>) -> Report {
    let mut findings = Vec::new();
    let program = program::Program::load(request.project, request.library, &mut findings);
    let known = known::Known::new(request.specs);
    let header = header::Header::parse(request.library.text(&program.runbook).unwrap_or_default());
    if let Some(runbook) = program.files.get(&program.runbook) {
        let mut lints = lints::all();
        let scope = scope::Scope::default();
        let mut cx =
            cx::Cx { request, program: &program, known: &known, header: &header, file: runbook, scope, findings };
        for file in program.files.values().filter(|file| file.compiles) {
            cx.file = file;
            walk::walk(&mut cx, &mut lints);
        }
        cx.file = runbook;
        lints.iter_mut().filter(|_| runbook.compiles).for_each(|lint| lint.finish(&mut cx));
        findings = cx.findings;
    }
    let mut report = Report { findings, files: BTreeMap::new() };
    report.files.extend(program.files.values().map(|file| (file.path.clone(), file.source.text().to_owned())));
    sort(&mut report.findings, &program.runbook);
    report
}

fn sort(findings: &mut Vec<Finding>, runbook: &str) {
    let place = |finding: &Finding| {
        (finding.file != runbook, finding.file.clone(), finding.line, finding.column, finding.severity, finding.code)
    };
    findings.sort_by_key(place);
    findings.dedup();
    for finding in findings {
        finding.length = finding.length.max(1);
    }
}
