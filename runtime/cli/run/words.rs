//! From the words of the command line to everything a run begins with.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches};
use serde_json::Value;

use super::super::conduct::{Narrow, View};
use super::super::{places, plan};
use super::{Calling, parameters};
use crate::failure::{Failure, FailureKind};
use crate::journal::{Journal, Plan as Planned};
use crate::project::{Project, ProjectFile, state_folder};
use crate::script::{Header, Library, SourceFile};
use crate::units::Span;

/// What can be said on the command line besides the runbook's own parameters.
#[derive(Args)]
pub(super) struct Options {
    /// The runbook to run
    #[arg(value_name = "RUNBOOK", required_unless_present_any = ["from_run", "plan"])]
    runbook: Option<PathBuf>,
    /// The environment of the project file to run on
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
    /// Run again what run N ran: its script and modules, its parameters unless given anew
    #[arg(long, value_name = "N")]
    pub(super) from_run: Option<i64>,
    /// Wait this long for the runbook's `@lock`, as in 10m
    #[arg(long, value_name = "DURATION", value_parser = Span::parse)]
    pub(super) wait: Option<Span>,
    /// Do what this plan says and nothing else: its runbook, its environment, its parameters; refused when anything is
    /// different from when it was made
    #[arg(long, value_name = "FILE")]
    pub(super) plan: Option<PathBuf>,
    /// The fire of a schedule that it is started for, and the ticket to begin it; `-` when both come on standard input
    #[arg(long, hide = true)]
    pub(super) fire: Option<Calling>,
    #[command(flatten)]
    pub(super) narrow: Narrow,
    #[command(flatten)]
    pub(super) view: View,
}

/// Everything the command line settles before anything happens.
pub(in crate::cli) struct Wanted<T> {
    pub(in crate::cli) options: T,
    pub(in crate::cli) project: Project,
    pub(in crate::cli) library: Library,
    pub(in crate::cli) parameters: Value,
    /// The plan to follow.
    pub(in crate::cli) follows: Option<Planned>,
}

/// A command that takes a runbook with its parameters.
pub(in crate::cli) struct Words {
    /// As it is typed: `runbook run`.
    pub(in crate::cli) name: &'static str,
    /// What it does.
    pub(in crate::cli) about: &'static str,
}

impl Words {
    fn command<T: Args>(&self) -> Command {
        T::augment_args(Command::new(self.name).about(self.about)).next_help_heading("Options")
    }

    /// Everything that the words say.
    pub(in crate::cli) fn read<T: Args + FromArgMatches>(&self, words: &[OsString]) -> Result<Wanted<T>, Failure> {
        Wanted::<T>::parse(self, words)
    }
}

impl<T> Wanted<T> {
    /// Reads the words twice: first for the runbook, whose header declares further flags, then for everything.
    fn parse(name: &Words, words: &[OsString]) -> Result<Self, Failure>
    where
        T: Args + FromArgMatches,
    {
        let first = Glance::at(words);
        let Some(Opened { project, library, earlier, follows }) = first.open()? else {
            // Neither a runbook nor a run: the parser says so, or shows the help.
            return Err(parse(name.command::<T>(), words, name)
                .map_or_else(|failure| failure, |_| Failure::new(FailureKind::Argument, "which runbook?")));
        };
        let header = Header::parse(library.text(library.runbook()).unwrap_or_default());
        let declared = if earlier.is_some() { parameters::all_optional(&header) } else { header.clone() };
        let matches = parse(parameters::declare(name.command::<T>(), &declared), words, name)?;
        let options =
            T::from_arg_matches(&matches).map_err(|error| Failure::new(FailureKind::Argument, error.to_string()))?;
        let parameters = parameters::read(&matches, &header, earlier.as_ref())?;
        Ok(Wanted { options, project, library, parameters, follows })
    }
}

/// A usage error or the help ends the process here, in clap's own form.
fn parse(command: Command, words: &[OsString], name: &Words) -> Result<clap::ArgMatches, Failure> {
    let name = std::iter::once(OsString::from(name.name));
    command.try_get_matches_from(name.chain(words.iter().cloned())).map_err(|error| error.exit())
}

/// What a first look at the words finds, before the runbook's own flags are known.
#[derive(Default)]
struct Glance {
    runbook: Option<PathBuf>,
    environment: Option<String>,
    from_run: Option<i64>,
    plan: Option<PathBuf>,
    /// Is it one of the service's own runs? A person is told of mistakes in schedules too.
    is_fire: bool,
}

/// What the words are about.
struct Opened {
    project: Project,
    library: Library,
    /// The parameters of the run that is run again, or of the plan that is followed.
    earlier: Option<Value>,
    follows: Option<Planned>,
}

impl Glance {
    fn at(words: &[OsString]) -> Self {
        let mut glance = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            let (flag, joined) = text.split_once('=').map_or((&*text, None), |(flag, value)| (flag, Some(value)));
            let mut value = || joined.map(str::to_owned).or_else(|| words.next().map(lossy));
            match flag {
                "--env" | "-e" => glance.environment = value(),
                "--plan" => glance.plan = value().map(PathBuf::from),
                "--out" | "--only" | "--deny" => drop(value()),
                "--fire" => (glance.is_fire, _) = (true, value()),
                "--from-run" => glance.from_run = value().and_then(|number| number.parse().ok()),
                _ if text.starts_with('-') => {}
                _ if glance.runbook.is_none() && looks_like_runbook(word) => glance.runbook = Some(word.into()),
                _ => {}
            }
        }
        glance
    }

    /// The command line goes before the plan; where the two differ the plan is stale, which is found out later.
    fn open(&self) -> Result<Option<Opened>, Failure> {
        let follows = self.plan.as_deref().map(plan::read).transpose()?;
        let planned = follows.as_ref().map(|plan| plan.environment.as_str()).filter(|name| !name.is_empty());
        let environment = self.environment.as_deref().or(planned);
        let runbook = match (&self.runbook, &follows) {
            (None, Some(plan)) => Some(places::root_here()?.join(&plan.runbook)),
            (runbook, _) => runbook.clone(),
        };
        let (project, library, earlier) = match (runbook, self.from_run) {
            (runbook, Some(run)) => earlier(run, runbook.as_deref(), environment)?,
            (Some(runbook), None) => {
                let load = if self.is_fire { ProjectFile::load_without_schedules } else { ProjectFile::load };
                let project = places::project_of(&runbook, environment, load)?;
                let full = runbook.canonicalize().map_err(|error| Failure::system("open the runbook", &error))?;
                let library = Library::load(project.root(), &full)?;
                (project, library, follows.as_ref().map(|plan| plan.parameters.clone()))
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Opened { project, library, earlier, follows }))
    }
}

fn lossy(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

/// The value of a flag that the runbook declares may come before the runbook itself; a runbook ends in `.rhai` or exists.
fn looks_like_runbook(word: &OsStr) -> bool {
    let path = Path::new(word);
    path.extension().is_some_and(|extension| extension == "rhai") || path.exists() || path.components().count() > 1
}

/// The texts, parameters and environment of an earlier run.
fn earlier(
    run: i64,
    runbook: Option<&Path>,
    environment: Option<&str>,
) -> Result<(Project, Library, Option<Value>), Failure> {
    let root = match runbook {
        Some(runbook) => places::project_of(runbook, environment, ProjectFile::load)?.root().to_path_buf(),
        None => places::root_here()?,
    };
    let journal = Journal::open(&state_folder(&root))?;
    let record = journal.run(run)?;
    let project = places::project_in(root, Some(environment.unwrap_or(&record.environment)))?;
    let sources = journal.sources(run)?.into_iter().map(|source| SourceFile { path: source.path, text: source.text });
    Ok((project, Library::from_sources(sources.collect())?, Some(record.parameters)))
}
