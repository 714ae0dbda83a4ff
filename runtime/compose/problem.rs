use std::cell::RefCell;

use crate::failure::{Failure, FailureKind};

use super::node::{Mark, Path};

/// What is wrong at one place of a compose file or environment file.
///
/// Displayed as `docker-compose.yml:12:7: services.api.build.ssh: not supported yet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the project's directory where that is shorter.
    pub file: String,
    /// The line, counted from 1; 0 when the problem is the file itself.
    pub line: usize,
    /// The column, counted from 1; 0 when only the line is known.
    pub column: usize,
    /// The key, as in `services.api.ports[0]`; empty at the top of a file.
    pub path: String,
    /// Lower case, no final period, literals in backticks.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at a place that has no key.
    pub fn new(file: impl Into<String>, line: usize, column: usize, message: impl Into<String>) -> Self {
        Self { file: file.into(), line, column, path: String::new(), message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn at(mark: &Mark, path: &Path, message: impl Into<String>) -> Self {
        let mut problem = Self::new(&*mark.file, mark.line, mark.column, message);
        problem.path = path.to_string();
        problem
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        [self.line, self.column].iter().filter(|number| **number > 0).try_for_each(|number| write!(f, ":{number}"))?;
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All problems of a load as one failure, each on a line of its own in the evidence.
pub fn failure(problems: &[Problem]) -> Failure {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| match &problem.hint {
            Some(hint) => format!("{problem}\n  hint: {hint}"),
            None => problem.to_string(),
        })
        .collect();
    match problems {
        [] => Failure::new(FailureKind::Invalid, "the compose files are not valid"),
        [only] => {
            let failure = Failure::new(FailureKind::Invalid, only.to_string());
            only.hint.iter().fold(failure, super::super::failure::Failure::hint)
        }
        [first, ..] => Failure::new(
            FailureKind::Invalid,
            format!("{} problems in the compose files, the first one: {first}", problems.len()),
        )
        .evidence("all problems", lines.join("\n")),
    }
}

/// Collects what one load finds, so that all of it is reported at once.
#[derive(Default)]
pub(super) struct Problems {
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl Problems {
    pub(super) fn error(&self, problem: Problem) {
        // A value that several services share through an anchor has one place, and is wrong once.
        let mut errors = self.errors.borrow_mut();
        let same_place = |other: &Problem| {
            (other.line, other.column, &other.message, &other.file)
                == (problem.line, problem.column, &problem.message, &problem.file)
        };
        if problem.line == 0 || !errors.iter().any(same_place) {
            errors.push(problem);
        }
    }

    pub(super) fn warn(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }

    /// Nothing wrong so far?
    pub(super) fn is_empty(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// The errors in the order of the text, and the warnings in the order they were found.
    pub(super) fn finish(self, files: &[String]) -> (Vec<Problem>, Vec<Problem>) {
        let mut errors = self.errors.into_inner();
        let rank = |problem: &Problem| files.iter().position(|file| *file == problem.file).unwrap_or(files.len());
        errors.sort_by_key(|problem| (rank(problem), problem.line, problem.column));
        (errors, self.warnings.into_inner())
    }
}
