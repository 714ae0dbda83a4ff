//! What the commands share that execute a run: a new one, or one that goes on.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args};
use jiff::Timestamp;
use serde_json::Value;

use super::run::Calling;
use super::terminal::Terminal;
use super::{CommandResult, notify, places, state};
use crate::drivers::prompt::{Nobody, Prompt, Yes};
use crate::failure::{Failure, FailureKind};
use crate::journal::{Event, Journal, Plan, Redacted, RunState, Source};
use crate::notify::Teller;
use crate::policy::{Narrowing, Policy, PolicyFile};
use crate::primitives;
use crate::project::{Project, revision};
use crate::report::{self, Console, JsonLines, Sink, Style, Verbosity};
use crate::run::{Door, Doorway, Ending, Execution, Finished, Halted, Listener, Resumes, Start};
use crate::script::{Header, Library, Program};

/// How a run is shown, and who is asked.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct View {
    /// Answer every `confirm` with yes
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Write events to standard output, one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    /// Show every call with its arguments and output
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Show only what fails, and the summary
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

impl View {
    /// The style it asks for.
    pub(super) fn style(&self) -> Style {
        Style::detect().verbosity(match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        })
    }

    /// Who sees the run, and who is asked.
    fn audience(&self, library: &Library) -> (Listener, Box<dyn Prompt>) {
        let library = library.clone();
        let console =
            Console::new(self.style()).with_sources(Box::new(move |path| library.text(path).map(str::to_owned)));
        let console = Arc::new(console);
        let prompt: Box<dyn Prompt> = match (self.yes, Terminal::is_there()) {
            (true, _) => Box::new(Yes),
            (false, true) => Box::new(Terminal(console.clone())),
            (false, false) => Box::new(Nobody),
        };
        if self.json {
            let lines = JsonLines::new();
            return (Box::new(move |event| lines.event(event)), prompt);
        }
        (Box::new(move |event| console.event(event)), prompt)
    }
}

/// What a person takes away from a run.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Narrow {
    /// Allow nothing but this, as in `--only 'docker shop; secret *'`
    #[arg(long, value_name = "NEEDS")]
    only: Vec<String>,
    /// Allow all but this, as in `--deny 'docker * down'`
    #[arg(long, value_name = "NEEDS")]
    deny: Vec<String>,
}

impl Narrow {
    /// As the policy takes it.
    pub(super) fn narrowing(&self) -> Narrowing {
        Narrowing { only: self.only.clone(), deny: self.deny.clone() }
    }
}

/// A run to execute.
pub(super) struct Job {
    pub(super) project: Project,
    pub(super) library: Library,
    pub(super) parameters: Value,
    pub(super) view: View,
    /// The run whose version of the script this is.
    pub(super) from_run: Option<i64>,
    /// How long to wait for the runbook's lock.
    pub(super) wait: Duration,
    /// The run it goes on with.
    pub(super) resumes: Option<Resumes>,
    /// The plan it follows.
    pub(super) follows: Option<Plan>,
    /// What the command line takes away.
    pub(super) narrowing: Narrowing,
    /// The fire of a schedule it runs for.
    pub(super) fire: Option<Calling>,
}

impl Job {
    /// A new run.
    pub(super) fn new(project: Project, library: Library, parameters: Value, view: View) -> Self {
        Self {
            project,
            library,
            parameters,
            view,
            from_run: None,
            wait: Duration::ZERO,
            resumes: None,
            follows: None,
            narrowing: Narrowing::default(),
            fire: None,
        }
    }

    /// Executes it and says how it ended.
    pub(super) fn conduct(self) -> CommandResult {
        let journal = Arc::new(Journal::open(&self.project.state_folder())?);
        let nobody = self.project.file().notify.is_idle();
        let teller = if nobody { None } else { Teller::start(self.project.root(), false)? };
        journal.settle()?;
        let (listener, prompt) = self.view.audience(&self.library);
        let file = self.project.file().clone();
        let mut listeners = vec![listener];
        if let Some(teller) = &teller {
            let look = teller.looker();
            listeners.push(Box::new(move |event: &Redacted| {
                if matches!(**event, Event::RunStarted { .. } | Event::RunResumed { .. }) {
                    look();
                }
            }));
        }
        let executed = self.execute(journal.clone(), listeners, prompt);
        // Before anything else: whoever is to be told is told also of a run that could not be gone on with.
        if let Some(teller) = teller {
            notify::warn(&teller.end(notify::PATIENCE));
        }
        let (finished, _) = executed?;
        // Behind the end of the run, so that none waits for it.
        if let Err(failure) = state::tidy(&journal, &file, finished.run) {
            report::note(&format!("warning: what is old could not be dropped: {failure}\n"));
        }
        Ok(match finished.state {
            RunState::Ok => ExitCode::SUCCESS,
            RunState::Waiting | RunState::InDoubt => ExitCode::from(3),
            RunState::Cancelled => ExitCode::from(130),
            _ => ExitCode::from(1),
        })
    }

    /// Plans it.
    pub(super) fn plan(self, journal: Arc<Journal>) -> Result<Plan, Failure> {
        let library = self.library.clone();
        let execution = Execution::begin(Start { plans: true, ..self.start(journal, Vec::new(), Box::new(Yes))? })?;
        let door: Arc<dyn Door> = execution.clone();
        let program = Program::compile(&library, execution.environment(), &primitives::all(), &door);
        execution.foresee(|| run(&program))
    }

    /// Executes it before these listeners. Says how it ended, and why it stood still if it did.
    pub(super) fn execute(
        mut self,
        journal: Arc<Journal>,
        listeners: Vec<Listener>,
        prompt: Box<dyn Prompt>,
    ) -> Result<(Finished, Option<Halted>), Failure> {
        let library = self.library.clone();
        let fire = self.fire.take();
        let mut start = self.start(journal, listeners, prompt)?;
        let doorway = Arc::new(Doorway::default());
        let door: Arc<dyn Door> = doorway.clone();
        // The program outlives the script's end: undo and always blocks are closures of it.
        let program = Program::compile(&library, start.project.environment(), &primitives::all(), &door);
        if let Some(fire) = fire {
            // Everything is ready now, so that what is due begins at its second.
            (start.fire, start.begun) = fire.answered(&start)?;
        }
        if start.resumes.is_none() && start.begun.is_none() {
            start.policy.is_open(Timestamp::now())?;
        }
        let execution = Execution::begin(start)?;
        doorway.open(execution.clone());
        let finished = execution.conduct(|| run(&program))?;
        Ok((finished, execution.stands_still()))
    }

    fn start(self, journal: Arc<Journal>, listeners: Vec<Listener>, prompt: Box<dyn Prompt>) -> Result<Start, Failure> {
        let Self { project, library, parameters, from_run, wait, resumes, follows, narrowing, .. } = self;
        let header = Header::parse(library.text(library.runbook()).unwrap_or_default());
        let environment = project.environment().name.clone();
        let file = PolicyFile::load(project.root())?;
        let narrowing = match &resumes {
            Some(resumes) => narrowed_before(&journal, resumes.run.id)?,
            None => narrowing,
        };
        let (runbook, declared) = (library.runbook(), &header.declared);
        let policy = Policy::new(project.root(), project.environment(), runbook, declared, file.as_ref(), &narrowing)?;
        Ok(Start {
            policy,
            revision: revision(project.root()),
            project,
            journal,
            listeners,
            prompt,
            sources: sources(&library),
            title: header.title,
            parameters,
            from_run,
            started_by: places::person(),
            timeout: header.timeout.map(|timeout| timeout.0),
            lock: header.lock.map(|lock| lock.replace("{env}", &environment)),
            wait,
            resumes,
            plans: false,
            follows,
            fire: None,
            begun: None,
        })
    }
}

/// What the command line took away when the run was begun: it stays away.
fn narrowed_before(journal: &Journal, run: i64) -> Result<Narrowing, Failure> {
    let recorded = journal.narrowing(run)?;
    if recorded.is_null() {
        return Ok(Narrowing::default());
    }
    serde_json::from_value(recorded).map_err(|error| {
        Failure::new(FailureKind::Invalid, format!("what was taken away from run {run} cannot be read: {error}"))
            .hint(format!("`runbook show {run} --verify` says whether its entries were altered"))
    })
}

/// Runs a compiled script. One that could not be compiled fails where it would have begun.
fn run(program: &Result<Program, Failure>) -> Ending {
    match program {
        Ok(program) => program.run(),
        Err(failure) => Ending { result: Err(failure.clone()), trace: Vec::new() },
    }
}

/// The texts of a library as the journal keeps them.
pub(super) fn sources(library: &Library) -> Vec<Source> {
    library.sources().into_iter().map(|file| Source { path: file.path, text: file.text }).collect()
}
