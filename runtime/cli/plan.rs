//! `runbook plan`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use super::conduct::{Job, View};
use super::run::{Wanted, Words, passes_check};
use super::{CommandResult, history};
use crate::failure::{Failure, FailureKind};
use crate::journal::{Journal, Plan as Planned};
use crate::policy::Narrowing;
use crate::project::Project;
use crate::report;
use crate::script::Library;

/// Show what a run would change, without changing anything.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Plan {
    /// The runbook, its options and its parameters.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "RUNBOOK [OPTIONS] [--PARAMETER VALUE]…")]
    words: Vec<OsString>,
}

/// What can be said on the command line besides the runbook's own parameters.
#[derive(Args)]
struct Options {
    /// The runbook to plan
    #[arg(value_name = "RUNBOOK", required_unless_present = "from_run")]
    runbook: Option<PathBuf>,
    /// The environment of the project file to plan for
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
    /// Plan what run N ran: its script and modules, its parameters unless given anew
    #[arg(long, value_name = "N")]
    from_run: Option<i64>,
    /// Write the plan to this file as well, for `runbook run --plan`
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the plan to standard output as one JSON object
    #[arg(long)]
    json: bool,
}

const WORDS: Words = Words { name: "runbook plan", about: "Show what a run would change, without changing anything" };

impl Plan {
    /// Plans the runbook. Exit code 1 when the run would fail.
    pub fn run(self) -> CommandResult {
        let wanted: Wanted<Options> = WORDS.read(&self.words)?;
        if !passes_check(&wanted, &View::default(), &Narrowing::default())? {
            return Ok(ExitCode::from(2));
        }
        let Wanted { options, project, library, parameters, .. } = wanted;
        let plan = make(&project, &library, &parameters)?;
        if let Some(file) = &options.out {
            write(file, &plan)?;
        }
        history::answer(|out| {
            if options.json {
                return report::document(out, &plan);
            }
            report::plan(out, &plan, report::Style::detect_stdout())
        })?;
        Ok(if plan.failure.is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

/// Runs the script for a plan. The run log is only read; where there is none, none is made.
fn make(project: &Project, library: &Library, parameters: &Value) -> Result<Planned, Failure> {
    let job = Job::new(project.clone(), library.clone(), parameters.clone(), View::default());
    if let Some(journal) = Journal::open_existing(&project.state_folder())? {
        return job.plan(Arc::new(journal));
    }
    let folder = Scratch(std::env::temp_dir().join(format!("runbook-plan-{}", std::process::id())));
    job.plan(Arc::new(Journal::open(&folder.0)?))
}

/// A folder that is gone when the plan is made.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn write(file: &Path, plan: &Planned) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(plan).unwrap_or_default() + "\n";
    std::fs::write(file, text).map_err(|error| Failure::system(format!("write `{}`", file.display()), &error))
}

/// A plan that was written with `--out`.
pub(super) fn read(file: &Path) -> Result<Planned, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::system(format!("read the plan `{}`", file.display()), &error))?;
    let plan: Planned = serde_json::from_str(&text).map_err(|error| {
        Failure::new(FailureKind::Invalid, format!("`{}` is not a plan: {error}", file.display()))
            .hint("`runbook plan RUNBOOK --out FILE` writes one")
    })?;
    if plan.format != 1 {
        let message = format!("`{}` was written by another version of runbook: plan again", file.display());
        return Err(Failure::new(FailureKind::Invalid, message));
    }
    if let Some(failure) = &plan.failure {
        return Err(Failure::new(FailureKind::Refused, format!("the plan says that the run would fail: {failure}")));
    }
    Ok(plan)
}

/// Plans again and refuses when anything came out otherwise.
pub(super) fn refuse_stale(
    plan: &Planned,
    project: &Project,
    library: &Library,
    parameters: &Value,
) -> Result<(), Failure> {
    let drift = plan.drift(&make(project, library, parameters)?);
    if drift.is_empty() {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Refused, "the plan is stale: things are no longer as they were when it was made")
        .evidence("what is different", drift.join("\n"))
        .hint("plan again, look at it, and run that plan"))
}
