mod git;
mod values;

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::rekey::all_grounds;
use super::{CommandResult, Ground};
use crate::cli::places;
use crate::failure::Failure;
use crate::report::{self, Condition, State, Style};
use crate::secrets::sealed::{Identity, Opened, PEOPLE_FILE, file_of};
use crate::units::Span;

/// Look for weak, shared, old and exposed values, people who cannot read yet, and plain `.env` files in git. Values are not shown.
#[derive(Args)]
pub struct Doctor {
    /// A value that was not changed for longer is old
    #[arg(long, value_name = "DURATION", value_parser = Span::parse, default_value = "365d")]
    stale: Span,
    /// Write what was found to standard output as one JSON list
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Looks at everything, and exits with 1 when something is refused or exposed.
    pub fn run(self) -> CommandResult {
        let mut all = Vec::new();
        let identity = identity(&mut all)?;
        let mut opened = Vec::new();
        for ground in all_grounds()? {
            match ground.opened() {
                Ok(found) => {
                    all.extend(file(&found));
                    opened.push((ground, found));
                }
                Err(failure) => all.push(refused(&file_of(&ground.environment().name), &failure)),
            }
        }
        if let Some(identity) = &identity {
            all.extend(values::look(&opened, identity, self.stale.0, Timestamp::now())?);
        }
        all.extend(git::look(&places::root_here()?));
        let mut out = report::stdout();
        let written = if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&all).unwrap_or_default())
        } else {
            report::conditions(&mut out, &all, Style::detect())
        };
        written.map_err(|error| Failure::system("write what was found", &error))?;
        let is_bad = all.iter().any(|condition| condition.state == State::Missing);
        Ok(if is_bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

/// Whoever asks, and whether that person is on the list. Without an identity, values are not looked at.
fn identity(all: &mut Vec<Condition>) -> Result<Option<Identity>, Failure> {
    let ground = Ground::of(places::project_in(places::root_here()?, None).or_else(|_| first_environment())?)?;
    let identity = Identity::find()?;
    let Some(found) = &identity else {
        all.push(
            Condition::warn("identity", "none here: values are not looked at").fix("runbook secret identity --new"),
        );
        return Ok(None);
    };
    match ground.store.people() {
        Ok(people) => match people.who(found) {
            Ok(person) => all.push(Condition::ok("identity", format!("{}, {}", person.name, found.origin()))),
            Err(failure) => {
                all.push(refused("identity", &failure));
                return Ok(None);
            }
        },
        Err(failure) => {
            all.push(refused(PEOPLE_FILE, &failure));
            return Ok(None);
        }
    }
    Ok(identity)
}

/// Of several environments any will do.
fn first_environment() -> Result<crate::project::Project, Failure> {
    let root = places::root_here()?;
    let file = crate::project::ProjectFile::load(&root)?;
    let name = file.environments.keys().next().cloned();
    places::project_in(root, name.as_deref())
}

fn refused(name: &str, failure: &Failure) -> Condition {
    let condition = Condition::missing(name, failure.message.clone());
    failure.hints.iter().fold(condition, |condition, hint| condition.fix(hint.clone()))
}

/// The file as a whole: who can read it, who still knows what is in it.
fn file(opened: &Opened) -> Vec<Condition> {
    let environment = opened.environment();
    let name = file_of(environment);
    let count = match opened.names().len() {
        1 => "1 secret".to_owned(),
        count => format!("{count} secrets"),
    };
    let sealed_to = opened.recipients().join(", ");
    let mut all = vec![Condition::ok(&name, format!("{count}, serial {}, sealed to {sealed_to}", opened.serial()))];
    let readers = opened.people().readers(environment).into_iter();
    let waiting: Vec<String> =
        readers.map(|person| person.name.clone()).filter(|reader| !opened.recipients().contains(reader)).collect();
    if !waiting.is_empty() {
        all.push(
            Condition::warn(&name, format!("not sealed to {} yet", waiting.join(", ")))
                .fix(format!("runbook secret rekey --env {environment}")),
        );
    }
    let mut gone: Vec<&str> = opened.people().departed().iter().map(|departed| departed.person.name.as_str()).collect();
    gone.dedup();
    for person in gone {
        let known = opened.known_by(person);
        if !known.is_empty() {
            all.push(
                Condition::warn(&name, format!("{person}, who is off the list, knows {}", known.join(", ")))
                    .fix(format!("runbook secret rotate --known-by {person} --env {environment}")),
            );
        }
    }
    all
}
