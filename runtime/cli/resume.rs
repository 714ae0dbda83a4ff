//! `runbook resume`, and what `cancel`, `approve` and `reject` share with it: going on with a run that was begun.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::conduct::{Job, View, sources};
use super::{CommandResult, history, places};
use crate::drivers::prompt::Nobody;
use crate::failure::{Failure, FailureKind};
use crate::journal::{Journal, RunFilter, RunRecord, RunState, has_ended};
use crate::policy::Narrowing;
use crate::project::{Environment, Project, ProjectFile};
use crate::report;
use crate::run::{Halted, Resumes};
use crate::script::{Library, SourceFile};
use crate::units::Span;

const EXAMPLES: &str = "\
Examples:
  runbook resume                      the newest run that stands still
  runbook resume 12
  runbook resume 12 --with-new-script after mending the script";

/// Go on with a run that was interrupted, where it was interrupted.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Resume {
    /// The run's number; the newest run that stands still when left out
    #[arg(value_name = "RUN")]
    run: Option<i64>,
    /// Go on with the script as it is now. First it goes through what was done without doing anything: a script that
    /// would have done something else until there is refused
    #[arg(long)]
    with_new_script: bool,
    /// Go on although the same runbook has changed something on this environment since, or in another project's folder
    #[arg(long)]
    anyway: bool,
    /// Wait this long for the runbook's `@lock`, as in 10m
    #[arg(long, value_name = "DURATION", value_parser = Span::parse)]
    wait: Option<Span>,
    #[command(flatten)]
    view: View,
}

impl Resume {
    /// Goes on with the run.
    pub fn run(self) -> CommandResult {
        let (journal, run) = standing(self.run)?;
        if run.state.is_end() {
            return Err(has_ended(run.id));
        }
        if !self.anyway {
            refuse_another_world(&journal, &run)?;
        }
        let mut again = Again::of(&journal, run)?;
        let replaces = self.with_new_script && again.take_new_script()?;
        if replaces && !again.rehearse(journal)? {
            return Ok(ExitCode::from(2));
        }
        let wait = self.wait.unwrap_or_default().0;
        again.conduct(self.view, wait, How { replaces_script: replaces, cancels: false })
    }
}

/// The run of that number, or the newest one that stands still.
pub(super) fn standing(run: Option<i64>) -> Result<(Journal, RunRecord), Failure> {
    let nothing = || Failure::new(FailureKind::NotFound, "no run stands still: there is nothing to go on with");
    let journal = history::open_to_go_on()?.ok_or_else(nothing)?;
    let record = if let Some(run) = run {
        journal.run(run)?
    } else {
        let states = vec![RunState::Killed, RunState::Waiting, RunState::InDoubt];
        let newest = journal.runs(&RunFilter { states, limit: Some(1), ..RunFilter::default() })?;
        newest.into_iter().next().ok_or_else(nothing)?
    };
    Ok((journal, record))
}

/// Refuses to go on with a run in another world than the one it left: both what is left to do and what would be undone
/// belong to that one.
pub(super) fn refuse_another_world(journal: &Journal, run: &RunRecord) -> Result<(), Failure> {
    refuse_elsewhere(run)?;
    refuse_overtaken(journal, run)
}

/// The folder of another project, where files of the same names are others: projects may share one run log. A project
/// whose folder is not there any more has moved, and is here.
fn refuse_elsewhere(run: &RunRecord) -> Result<(), Failure> {
    let (here, there) = (places::root_here()?, Path::new(&run.project_root));
    if !there.is_dir() || here.canonicalize().ok() == there.canonicalize().ok() {
        return Ok(());
    }
    let message =
        format!("run {} began in the project `{}`, and this is `{}`", run.id, there.display(), here.display());
    Err(Failure::new(FailureKind::Refused, message)
        .hint(format!("`cd {}`, and go on with it there", there.display()))
        .hint(format!("`runbook resume {} --anyway` goes on with it here", run.id)))
}

/// The same runbook has changed something since.
fn refuse_overtaken(journal: &Journal, run: &RunRecord) -> Result<(), Failure> {
    let same = RunFilter {
        runbook: Some(run.runbook.clone()),
        environment: Some(run.environment.clone()),
        since: Some(run.started_at),
        ..RunFilter::default()
    };
    for newer in journal.runs(&same)?.into_iter().filter(|other| other.id > run.id) {
        if journal.calls(newer.id)?.iter().any(|call| call.changed == Some(true)) {
            let message = format!(
                "run {} of {} has changed something on {} since run {} was interrupted",
                newer.id, newer.runbook, newer.environment, run.id
            );
            return Err(Failure::new(FailureKind::Refused, message)
                .hint(format!("`runbook diff {} {}` shows what the two did", run.id, newer.id))
                .hint(format!("`runbook resume {} --anyway` goes on all the same", run.id)));
        }
    }
    Ok(())
}

/// How a run is gone on with.
#[derive(Clone, Copy, Default)]
pub(super) struct How {
    pub(super) replaces_script: bool,
    pub(super) cancels: bool,
}

/// A run with everything it began with.
pub(super) struct Again {
    run: RunRecord,
    project: Project,
    library: Library,
}

impl Again {
    /// The environment is the one it began with, whatever the project file says now.
    pub(super) fn of(journal: &Journal, run: RunRecord) -> Result<Self, Failure> {
        let root = places::root_here()?;
        let values = run.environment_values.as_object().cloned().unwrap_or_default();
        let protected = values.get("protected").and_then(serde_json::Value::as_bool).unwrap_or(false);
        let environment = Environment { name: run.environment.clone(), protected, values };
        let project = Project::new(root.clone(), ProjectFile::load(&root)?, environment);
        let texts = journal.sources(run.id)?.into_iter();
        let library =
            Library::from_sources(texts.map(|text| SourceFile { path: text.path, text: text.text }).collect())?;
        Ok(Self { run, project, library })
    }

    /// Takes the scripts as they are on the disk now; false when they are the same.
    fn take_new_script(&mut self) -> Result<bool, Failure> {
        let path = self.project.root().join(&self.run.runbook);
        let now = Library::load(self.project.root(), &path)?;
        if sources(&now) == sources(&self.library) {
            report::note("the script is the one the run began with\n");
            return Ok(false);
        }
        self.library = now;
        Ok(true)
    }

    /// Goes through what was done, with no effect. True when the script did the same until there.
    fn rehearse(&self, journal: Journal) -> Result<bool, Failure> {
        let environments = [self.project.environment().clone()];
        let (root, file) = (self.project.root(), self.project.file());
        let found = super::check::checked(root, file, &self.library, &environments, &Narrowing::default())?;
        if found.has_errors() {
            let style = report::Style::detect();
            report::findings(&mut report::stderr(), &found, style)
                .map_err(|error| Failure::system("write the findings", &error))?;
            return Ok(false);
        }
        let job = self.job(View::default(), Duration::ZERO, true, How::default());
        let (_, stood) = job.execute(Arc::new(journal), Vec::new(), Box::new(Nobody))?;
        if let Some(Halted::Stopped(failure)) = stood {
            let hint = format!("`runbook resume {}` goes on with the script it began with", self.run.id);
            return Err(Failure { kind: FailureKind::Invalid, ..failure.hint(hint) });
        }
        report::note("the new script does the same until where the run was interrupted\n");
        Ok(true)
    }

    /// Goes on.
    pub(super) fn conduct(self, view: View, wait: Duration, how: How) -> CommandResult {
        self.job(view, wait, false, how).conduct()
    }

    fn job(&self, view: View, wait: Duration, only_replays: bool, how: How) -> Job {
        let parameters = self.run.parameters.clone();
        let mut job = Job::new(self.project.clone(), self.library.clone(), parameters, view);
        job.wait = wait;
        job.follows = self.run.plan.clone().and_then(|plan| serde_json::from_value(plan).ok());
        job.resumes = Some(Resumes {
            run: self.run.clone(),
            only_replays,
            replaces_script: how.replaces_script,
            cancels: how.cancels,
        });
        job
    }
}
