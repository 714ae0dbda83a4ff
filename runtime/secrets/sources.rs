//! Where the values of secrets come from: one file per kind of source.

mod command;
mod dotenv;
mod environment;
mod files;
mod sealed;

use super::limits::{LARGEST, check_value};
use super::naming::check_name;
use super::text::SecretText;
use crate::failure::{Failure, FailureKind};
use crate::project::{Environment, Project, SecretSource};

/// A place where values of secrets are.
pub trait Source: Send + Sync {
    /// What it is called in messages: `.env.prod`, `the environment variables of this process`.
    fn label(&self) -> String;

    /// The value of that name; `None` when it has none. A failure means that nobody knows, so no later source is asked.
    fn get(&self, name: &str) -> Result<Option<SecretText>, Failure>;

    /// The names it has, where it can tell them.
    fn names(&self) -> Result<Vec<String>, Failure>;

    /// How a value gets there.
    fn how_to_set(&self, name: &str) -> String;
}

/// A value, and where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The value.
    pub text: SecretText,
    /// The label of its source.
    pub source: String,
}

/// The sources of one environment, in the order in which they are asked.
pub struct Sources {
    environment: Environment,
    in_order: Vec<Box<dyn Source>>,
}

impl Sources {
    /// The sources of the project's chosen environment, as `[secrets]` of the project file says.
    pub fn of(project: &Project) -> Result<Self, Failure> {
        let environment = project.environment();
        let usual = [SecretSource::Sealed {}, SecretSource::Environment { prefix: String::new() }];
        let settings = project.file().secrets.sources_of(&environment.name).unwrap_or(&usual);
        let in_order = settings.iter().map(|setting| open(setting, project)).collect::<Result<_, _>>()?;
        Ok(Self { environment: environment.clone(), in_order })
    }

    /// The value of a secret from the first source that has one. An empty value counts as none.
    pub fn get(&self, name: &str) -> Result<Found, Failure> {
        check_name(name)?;
        let mut asked = Vec::new();
        for source in &self.in_order {
            match source.get(name)? {
                Some(text) if text.expose().is_empty() => asked.push(format!("{}: empty", source.label())),
                Some(text) => {
                    check_value(name, &text, &self.environment)
                        .map_err(|failure| failure.evidence("found in", source.label()))?;
                    return Ok(Found { text, source: source.label() });
                }
                None => asked.push(format!("{}: nothing", source.label())),
            }
        }
        Err(self.missing(name, &asked))
    }

    /// The names of all secrets that the sources can tell, sorted. Not all of them can.
    pub fn names(&self) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for source in &self.in_order {
            names.extend(source.names()?);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn missing(&self, name: &str, asked: &[String]) -> Failure {
        let message = format!("there is no secret `{name}` for the environment `{}`", self.environment.name);
        let mut failure = Failure::new(FailureKind::NotFound, message).evidence("asked", asked.join("\n"));
        // Why one of them cannot tell its names was said when it was asked for this one.
        let names: Vec<String> = self.in_order.iter().filter_map(|source| source.names().ok()).flatten().collect();
        failure = failure.did_you_mean(name, names.iter().map(String::as_str));
        if self.in_order.is_empty() {
            return failure.hint("`sources` in [secrets] of runbook.toml is empty: name at least one");
        }
        self.in_order.iter().fold(failure, |failure, source| failure.hint(source.how_to_set(name)))
    }
}

fn open(setting: &SecretSource, project: &Project) -> Result<Box<dyn Source>, Failure> {
    let environment = &project.environment().name;
    Ok(match setting {
        SecretSource::Sealed {} => Box::new(sealed::Sealed::open(project)?),
        SecretSource::Environment { prefix } => Box::new(environment::Variables::new(prefix)),
        SecretSource::Dotenv { file } => Box::new(dotenv::Dotenv::open(project.root(), file)?),
        SecretSource::Files { folder } => Box::new(files::Files::new(project.root(), folder)),
        SecretSource::Command { argv, timeout, names } => {
            Box::new(command::Command::new(argv, *timeout, names.as_deref(), environment, project.root()))
        }
    })
}

/// A text as a program or a person's editor leaves it: the last line break is theirs and not the value's.
fn without_line_break(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line))
}
