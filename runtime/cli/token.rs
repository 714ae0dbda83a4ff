//! `runbook token`.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{CommandResult, history, places};
use crate::failure::{Failure, FailureKind};
use crate::journal::{Journal, TokenRow};
use crate::project::state_folder;
use crate::report;
use crate::serve::api::{SCOPES, mint};
use crate::units::Span;

/// Say who may ask the service over HTTP.
#[derive(Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, once: only its hash is kept
    Add(Add),
    /// List the tokens: what each is good for, and until when
    List(List),
    /// Forget a token: it counts no more from now on
    Remove(Remove),
}

/// Make a token.
#[derive(Args)]
pub struct Add {
    /// Its name: who has it
    #[arg(value_name = "NAME")]
    name: String,
    /// What may be done with it
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = PossibleValuesParser::new(SCOPES))]
    scopes: Vec<String>,
    /// How long it counts, as in 90d
    #[arg(long, value_name = "DURATION", value_parser = Span::parse, default_value = "90d")]
    expires: Span,
}

/// List the tokens.
#[derive(Args)]
pub struct List {
    /// Write a JSON array
    #[arg(long)]
    json: bool,
}

/// Forget a token.
#[derive(Args)]
pub struct Remove {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
}

impl TokenCommand {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        let journal = Journal::open(&state_folder(&places::root_here()?))?;
        match self {
            Self::Add(command) => command.run(&journal),
            Self::List(command) => command.run(&journal),
            Self::Remove(command) => command.run(&journal),
        }
    }
}

impl Add {
    fn run(self, journal: &Journal) -> CommandResult {
        let Self { name, mut scopes, expires } = self;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        if name.is_empty() || name.len() > 60 || !name.chars().all(is_plain) {
            return Err(Failure::new(FailureKind::Argument, format!("`{name}` is no name for a token"))
                .hint("letters, digits, `-` and `.`, 60 at most"));
        }
        scopes.sort();
        scopes.dedup();
        let now = Timestamp::now().as_second();
        let token = mint(&name)?;
        let seconds = i64::try_from(expires.0.as_secs()).unwrap_or(i64::MAX);
        let row = TokenRow {
            name: name.clone(),
            hash: token.hash,
            scopes,
            created: now,
            created_by: places::person(),
            expires: now.saturating_add(seconds),
        };
        if !journal.add_token(&row)? {
            return Err(Failure::new(FailureKind::Conflict, format!("there is a token `{name}` already"))
                .hint(format!("`runbook token remove {name}` forgets it")));
        }
        history::answer(|out| writeln!(out, "{}", token.text))?;
        report::note(&format!("it is shown this once, and counts until {}", minute(row.expires)));
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    fn run(self, journal: &Journal) -> CommandResult {
        let tokens = journal.tokens()?;
        if self.json {
            history::answer(|out| report::document(out, &tokens))?;
        } else if tokens.is_empty() {
            report::note("there are no tokens");
        } else {
            let now = Timestamp::now().as_second();
            history::answer(|out| {
                for TokenRow { name, scopes, expires, created_by, .. } in &tokens {
                    let until = if *expires <= now { "expired" } else { "until" };
                    writeln!(out, "{name:<20} {until} {}  {}  by {created_by}", minute(*expires), scopes.join(","))?;
                }
                Ok(())
            })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Remove {
    fn run(self, journal: &Journal) -> CommandResult {
        if !journal.remove_token(&self.name)? {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no token `{}`", self.name)));
        }
        report::note(&format!("`{}` counts no more", self.name));
        Ok(ExitCode::SUCCESS)
    }
}

/// As the clocks here show it.
fn minute(second: i64) -> String {
    let shown = |at: Timestamp| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
    Timestamp::from_second(second).map_or_else(|_| "for ever".to_owned(), shown)
}
