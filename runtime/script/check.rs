//! Static checking: everything that can be known to be wrong with a runbook before it runs, all at once.
//!
//! A program is compiled (nothing is registered, nothing runs), turned into a small tree of our own, and walked once;
//! every family of lints sees every place with the names visible there. Primitives are known from their `Spec`s, so a
//! new primitive is checked the day it lands. A lint that is not sure stays silent: a false alarm would stop a run.

mod compile;
mod cx;
mod finding;
mod given;
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

use std::path::Path;

pub use rules::RULES;

use super::{Library, header};
use crate::failure::{Finding, Findings};
use crate::primitive::Spec;
use crate::project::{Environment, ProjectFile};

/// Finds the services of compose files: `check` does not read compose files itself.
pub type ComposeServices<'a> = dyn Fn(&Environment, &[String]) -> Option<Vec<String>> + 'a;

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
    /// The services that these compose files define in an environment; `None` when that is not known before the run.
    pub services: &'a ComposeServices<'a>,
}

/// Checks a runbook and every module it imports. Nothing is executed.
pub fn check(request: &Request<'_>) -> Findings {
    let mut findings = Vec::new();
    let program = program::Program::load(request.project, request.library, &mut findings);
    let known = known::Known::new(request.specs);
    let header = header::Header::parse(request.library.text(&program.runbook).unwrap_or_default());
    let all_environments: Vec<Environment> =
        ProjectFile::load(request.project).map(|file| file.environments.into_values().collect()).unwrap_or_default();
    if let Some(runbook) = program.files.get(&program.runbook) {
        let mut lints = lints::all();
        let scope = scope::Scope::default();
        let mut cx = cx::Cx {
            request,
            program: &program,
            known: &known,
            header: &header,
            file: runbook,
            all_environments: &all_environments,
            scope,
            findings,
        };
        for file in program.files.values().filter(|file| file.compiles) {
            cx.file = file;
            walk::walk(&mut cx, &mut lints);
        }
        cx.file = runbook;
        lints.iter_mut().filter(|_| runbook.compiles).for_each(|lint| lint.finish(&mut cx));
        findings = cx.findings;
    }
    let mut report = Findings { findings, ..Findings::default() };
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
