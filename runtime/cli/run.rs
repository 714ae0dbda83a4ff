//! `runbook run`.

mod calling;
mod parameters;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::CommandResult;
use super::conduct::{Job, View};
use super::plan;
use crate::failure::Failure;
use crate::policy::Narrowing;
use crate::report;
pub(super) use calling::Calling;
pub(super) use parameters::words as parameter_words;
use words::Options;
pub(super) use words::{Wanted, Words};

/// Run a runbook.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Run {
    /// The runbook, its options and its parameters.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "RUNBOOK [OPTIONS] [--PARAMETER VALUE]…")]
    words: Vec<OsString>,
}

const WORDS: Words =
    Words { name: "runbook run", about: "Run a runbook: checked before it starts, undone when it fails" };

impl Run {
    /// As if these words had been typed behind `runbook run`.
    pub(super) fn of(words: Vec<OsString>) -> Self {
        Self { words }
    }

    /// Checks the runbook, runs it and says how it ended.
    pub fn run(self) -> CommandResult {
        let wanted: Wanted<Options> = WORDS.read(&self.words)?;
        let narrowing = wanted.options.narrow.narrowing();
        if !passes_check(&wanted, &wanted.options.view, &narrowing)? {
            return Ok(ExitCode::from(2));
        }
        let Wanted { options, project, library, parameters, follows } = wanted;
        if let Some(follows) = &follows {
            plan::refuse_stale(follows, &project, &library, &parameters)?;
        }
        let mut job = Job::new(project, library, parameters, options.view);
        job.from_run = options.from_run;
        job.wait = options.wait.unwrap_or_default().0;
        job.follows = follows;
        job.narrowing = narrowing;
        job.fire = options.fire;
        job.conduct()
    }
}

/// Shows everything that is wrong with the runbook; errors keep it from starting.
pub(super) fn passes_check<T>(wanted: &Wanted<T>, view: &View, narrowing: &Narrowing) -> Result<bool, Failure> {
    let environments = [wanted.project.environment().clone()];
    let (root, file) = (wanted.project.root(), wanted.project.file());
    let found = super::check::checked(root, file, &wanted.library, &environments, narrowing)?;
    if !found.findings.is_empty() {
        report::findings(&mut report::stderr(), &found, view.style())
            .map_err(|error| Failure::system("write the findings", &error))?;
    }
    Ok(!found.has_errors())
}
