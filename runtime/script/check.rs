//! Static checking: everything that can be known to be wrong with a runbook before it runs, all at once.
//!
//! A program is compiled (nothing is registered, nothing runs), turned into a small tree of our own, and walked once;
//! every family of lints sees every place with the names visible there. Primitives are known from their `Spec`s, so a
//! new primitive is checked the day it lands. A lint that is not sure stays silent: a false alarm would stop a run.

mod compile;
mod cx;
mod declare;
mod finding;
mod given;
mod guess;
mod known;
mod lints;
mod lower;
mod names;
mod needed;
mod program;
mod rules;
mod scope;
mod source;
mod syntax;
mod tree;
mod walk;

use std::path::Path;

pub use declare::Declaration;
pub use rules::RULES;

use super::{Library, header};
use crate::failure::{Finding, Findings};
use crate::policy::{Narrowing, PolicyFile};
use crate::primitive::{Primitive, Spec};
use crate::project::{Environment, ProjectFile};

/// Finds the services of compose files: `check` does not read compose files itself.
pub type ComposeServices<'a> = dyn Fn(&Environment, &[String]) -> Option<Vec<String>> + 'a;

/// Finds what stands in the way of replacing containers as they are to be: code, message and hint.
pub type ComposeUpdates<'a> =
    dyn Fn(&Environment, &[String], &ComposeUpdate) -> Vec<(&'static str, String, String)> + 'a;

/// How a call of `up` is to replace containers, as far as that is known before the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ComposeUpdate {
    /// `start-first` or `stop-first`; the files say it when this is nothing.
    pub order: Option<String>,
    /// Volumes and folders that two containers may write to.
    pub shared: Vec<String>,
    /// Services that are told to look their upstreams up again.
    pub reloaded: Vec<String>,
}

/// What to check, and against what.
pub struct Request<'a> {
    /// The project's folder.
    pub project: &'a Path,
    /// Its project file; its schedules do not count.
    pub file: &'a ProjectFile,
    /// The runbook and its modules: exactly the texts that would run.
    pub library: &'a Library,
    /// The environments it must be right for; none when it is not known where it will run.
    pub environments: &'a [Environment],
    /// The primitives there are.
    pub primitives: &'a [&'static dyn Primitive],
    /// `policy.toml`, where there is one.
    pub policy: Option<&'a PolicyFile>,
    /// What the command line takes away.
    pub narrowing: &'a Narrowing,
    /// The services that these compose files define in an environment; `None` when that is not known before the run.
    pub services: &'a ComposeServices<'a>,
    /// What these compose files have that keeps containers from being replaced start-first.
    pub updates: &'a ComposeUpdates<'a>,
}

/// Checks a runbook and every module it imports. Nothing is executed.
pub fn check(request: &Request<'_>) -> Findings {
    look(request).0
}

/// The runbook with everything declared that its script is seen to need; `None` when nothing is missing.
pub fn declare(request: &Request<'_>) -> Option<Declaration> {
    let text = request.library.text(request.library.runbook()).unwrap_or_default();
    declare::complete(request.project, text, &look(request).1)
}

fn look(request: &Request<'_>) -> (Findings, Vec<needed::Needed>) {
    let mut needed = Vec::new();
    let mut findings = Vec::new();
    let program = program::Program::load(request.project, request.library, &mut findings);
    let specs: Vec<&'static Spec> = request.primitives.iter().map(|primitive| primitive.spec()).collect();
    let known = known::Known::new(&specs);
    let header = header::Header::parse(request.library.text(&program.runbook).unwrap_or_default());
    let all_environments: Vec<Environment> = request.file.environments.values().cloned().collect();
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
            project: request.file,
            scope,
            findings,
            needed: Vec::new(),
        };
        for file in program.files.values().filter(|file| file.compiles) {
            cx.file = file;
            walk::walk(&mut cx, &mut lints);
        }
        cx.file = runbook;
        lints.iter_mut().filter(|_| runbook.compiles).for_each(|lint| lint.finish(&mut cx));
        findings = cx.findings;
        needed = cx.needed;
    }
    let mut report = Findings { findings, ..Findings::default() };
    report.files.extend(program.files.values().map(|file| (file.path.clone(), file.source.text().to_owned())));
    sort(&mut report.findings, &program.runbook);
    (report, needed)
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
