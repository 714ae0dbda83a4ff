//! `runbook run`.

mod parameters;
mod terminal;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::{CommandResult, places};
use crate::drivers::prompt::{Nobody, Prompt, Yes};
use crate::failure::Failure;
use crate::journal::{Journal, RunState, Source};
use crate::primitives;
use crate::project::revision;
use crate::report::{self, Console, JsonLines, Sink, Style, Verbosity};
use crate::run::{Door, Ending, Execution, Listener, Start};
use crate::script::{Library, Program};
use words::{Options, Wanted};

/// Run a runbook.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Run {
    /// The runbook, its options and its parameters.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "RUNBOOK [OPTIONS] [--PARAMETER VALUE]…")]
    words: Vec<OsString>,
}

impl Run {
    /// Checks the runbook, runs it and says how it ended.
    pub fn run(self) -> CommandResult {
        let wanted = Wanted::parse(&self.words)?;
        let style = Style::detect().verbosity(verbosity(&wanted.options));
        if !passes_check(&wanted, style)? {
            return Ok(ExitCode::from(2));
        }
        let Wanted { options, project, library, header, parameters } = wanted;
        let journal = Arc::new(Journal::open(&project.state_folder())?);
        journal.settle()?;
        let (listener, prompt) = audience(&options, &library, style);
        let environment = project.environment().name.clone();
        let execution = Execution::begin(Start {
            revision: revision(project.root()),
            project,
            journal,
            listeners: vec![listener],
            prompt,
            sources: library.sources().into_iter().map(|file| Source { path: file.path, text: file.text }).collect(),
            title: header.title,
            parameters,
            from_run: options.from_run,
            started_by: places::person(),
            timeout: header.timeout.map(|timeout| timeout.0),
            lock: header.lock.map(|lock| lock.replace("{env}", &environment)),
            wait: options.wait.unwrap_or_default().0,
        })?;
        let door: Arc<dyn Door> = execution.clone();
        // The program outlives the script's end: undo and always blocks are closures of it.
        let mut compiled = None;
        let finished = execution.conduct(|| {
            match Program::compile(&library, execution.environment(), &primitives::all(), &door) {
                Ok(program) => compiled.insert(program).run(),
                Err(failure) => Ending { result: Err(failure), trace: Vec::new() },
            }
        })?;
        Ok(match finished.state {
            RunState::Ok => ExitCode::SUCCESS,
            RunState::Waiting | RunState::InDoubt => ExitCode::from(3),
            RunState::Cancelled => ExitCode::from(130),
            _ => ExitCode::from(1),
        })
    }
}

/// Shows everything that is wrong with the runbook; errors keep it from starting.
fn passes_check(wanted: &Wanted, style: Style) -> Result<bool, Failure> {
    let environments = [wanted.project.environment().clone()];
    let found = super::check::checked(wanted.project.root(), &wanted.library, &environments);
    if !found.findings.is_empty() {
        report::findings(&mut report::stderr(), &found, style)
            .map_err(|error| Failure::system("write the findings", &error))?;
    }
    Ok(!found.has_errors())
}

fn verbosity(options: &Options) -> Verbosity {
    match (options.quiet, options.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, _) => Verbosity::Verbose,
    }
}

/// Who sees the run, and who is asked.
fn audience(options: &Options, library: &Library, style: Style) -> (Listener, Box<dyn Prompt>) {
    let library = library.clone();
    let console = Console::new(style).with_sources(Box::new(move |path| library.text(path).map(str::to_owned)));
    let console = Arc::new(console);
    let prompt: Box<dyn Prompt> = match (options.yes, terminal::Terminal::is_there()) {
        (true, _) => Box::new(Yes),
        (false, true) => Box::new(terminal::Terminal(console.clone())),
        (false, false) => Box::new(Nobody),
    };
    if options.json {
        let lines = JsonLines::new();
        return (Box::new(move |event| lines.event(event)), prompt);
    }
    (Box::new(move |event| console.event(event)), prompt)
}
