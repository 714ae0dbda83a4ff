use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgAction, Args, FromArgMatches};
use serde_json::{Map, Value};

use super::{CommandResult, places};
use crate::drivers::prompt::{Nobody, Prompt, Yes};
use crate::failure::{Failure, FailureKind};
use crate::journal::{Journal, RunState, Source};
use crate::primitives;
use crate::project::{Project, revision};
use crate::report::{Console, JsonLines, Sink, Style, Verbosity};
use crate::run::{Door, Ending, Execution, Listener, Start};
use crate::script::{Library, Program, SourceFile};

/// Run a runbook.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Run {
    /// The runbook, its options and its parameters.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "RUNBOOK [OPTIONS] [--PARAMETER VALUE]…")]
    words: Vec<OsString>,
}

/// What can be said on the command line besides the runbook's own parameters.
#[derive(Args)]
struct Options {
    /// The runbook to run
    #[arg(value_name = "RUNBOOK", required_unless_present = "from_run")]
    runbook: Option<PathBuf>,
    /// The environment of the project file to run on
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
    /// Run the version of the script that run N ran, with its modules
    #[arg(long, value_name = "N")]
    from_run: Option<i64>,
    /// Answer every `confirm` with yes
    #[arg(short, long)]
    yes: bool,
    /// Write events to standard output, one JSON object a line
    #[arg(long)]
    json: bool,
    /// Show every call with its arguments and output
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// Show only what fails, and the summary
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
}

impl Run {
    /// Checks the runbook, runs it and says how it ended.
    pub fn run(self) -> CommandResult {
        let wanted = Wanted::parse(&self.words)?;
        let Wanted { options, project, library, parameters } = wanted;
        let style = Style::detect().verbosity(verbosity(&options));
        let journal = Arc::new(Journal::open(&project.state_folder())?);
        journal.settle()?;
        let execution = Execution::begin(Start {
            revision: revision(project.root()),
            project,
            journal,
            listeners: vec![listener(&options, &library, style)],
            prompt: prompt(&options),
            sources: library.sources().into_iter().map(|file| Source { path: file.path, text: file.text }).collect(),
            title: String::new(),
            parameters,
            from_run: options.from_run,
            started_by: places::person(),
            timeout: None,
        })?;
        let door: Arc<dyn Door> = execution.clone();
        let finished = execution.conduct(|| {
            match Program::compile(&library, execution.environment(), &primitives::all(), &door) {
                Ok(program) => program.run(),
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

/// Everything the command line settles before anything happens.
struct Wanted {
    options: Options,
    project: Project,
    library: Library,
    parameters: Value,
}

impl Wanted {
    /// Reads the words twice: first to find the runbook, then with its parameters as flags.
    fn parse(words: &[OsString]) -> Result<Self, Failure> {
        let command = clap::Command::new("runbook run").about("Run a runbook");
        let command = Options::augment_args(command);
        let name = std::iter::once(OsString::from("runbook run"));
        let matches = command.get_matches_from(name.chain(words.iter().cloned()));
        let options = Options::from_arg_matches(&matches).map_err(|error| usage(&error))?;
        let (project, library) = match (&options.runbook, options.from_run) {
            (_, Some(run)) => earlier(run, options.runbook.as_deref(), options.env.as_deref())?,
            (Some(runbook), None) => {
                let project = places::project_of(runbook, options.env.as_deref())?;
                let full = runbook.canonicalize().map_err(|error| Failure::system("open the runbook", &error))?;
                let library = Library::load(project.root(), &full)?;
                (project, library)
            }
            (None, None) => return Err(Failure::new(FailureKind::Argument, "which runbook?")),
        };
        Ok(Self { options, project, library, parameters: Value::Object(Map::new()) })
    }
}

/// The texts and the environment of an earlier run.
fn earlier(run: i64, runbook: Option<&Path>, environment: Option<&str>) -> Result<(Project, Library), Failure> {
    let root = match runbook {
        Some(runbook) => places::project_of(runbook, environment)?.root().to_path_buf(),
        None => places::root_here()?,
    };
    let journal = Journal::open(&crate::project::state_folder(&root))?;
    let record = journal.run(run)?;
    let project = places::project_in(root, Some(environment.unwrap_or(&record.environment)))?;
    let sources = journal.sources(run)?.into_iter().map(|source| SourceFile { path: source.path, text: source.text });
    Ok((project, Library::from_sources(sources.collect())?))
}

fn usage(error: &clap::Error) -> Failure {
    Failure::new(FailureKind::Argument, error.to_string())
}

fn verbosity(options: &Options) -> Verbosity {
    match (options.quiet, options.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, _) => Verbosity::Verbose,
    }
}

fn listener(options: &Options, library: &Library, style: Style) -> Listener {
    if options.json {
        let lines = JsonLines::new();
        return Box::new(move |event| lines.event(event));
    }
    let library = library.clone();
    let console = Console::new(style).with_sources(Box::new(move |path| library.text(path).map(str::to_owned)));
    Box::new(move |event| console.event(event))
}

fn prompt(options: &Options) -> Box<dyn Prompt> {
    if options.yes { Box::new(Yes) } else { Box::new(Nobody) }
}
