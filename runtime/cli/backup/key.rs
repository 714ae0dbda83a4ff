use std::io::Read;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CommandResult, Ground, Where, local};
use crate::cli::history;
use crate::drivers::backup::{Access, RepositoryKey};
use crate::failure::{Failure, FailureKind};
use crate::report::{self, Style};
use crate::secrets::Sources;

/// List, add and remove keys: each opens the same repository with a password of its own.
#[derive(Subcommand)]
pub enum Key {
    /// List the keys
    List(List),
    /// Add a key with another password
    Add(Add),
    /// Remove a key, with which nobody opens the repository any more
    Remove(Remove),
}

impl Key {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        match self {
            Self::List(command) => command.run(),
            Self::Add(command) => command.run(),
            Self::Remove(command) => command.run(),
        }
    }
}

/// List the keys.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl List {
    fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let keys = ground.repository(Access::Shared)?.keys()?;
        history::answer(|out| {
            if self.json {
                return report::document(out, &json!({ "repository": ground.name, "keys": keys }));
            }
            let rows: Vec<_> = keys.iter().map(row).collect();
            report::listing(out, ["", "ID", "CREATED", "HOST", "USER"], &rows, Style::detect_stdout())
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn row(key: &RepositoryKey) -> [String; 5] {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let created = key.created.map_or_else(|| "-".to_owned(), local);
    [if key.current { "*" } else { "" }.to_owned(), key.id[..8].to_owned(), created, text(&key.host), text(&key.user)]
}

/// Add a key with another password.
#[derive(Args)]
pub struct Add {
    #[command(flatten)]
    place: Where,
    /// The name of the secret with the new password
    #[arg(long, value_name = "SECRET", required_unless_present = "stdin")]
    new_password: Option<String>,
    /// Read the new password from standard input, without the end of its line
    #[arg(long, conflicts_with = "new_password")]
    stdin: bool,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Add {
    fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let password = self.password(&ground)?;
        let id = ground.repository(Access::Shared)?.add_key(&password)?;
        if self.json {
            history::answer(|out| report::document(out, &json!({ "repository": ground.name, "id": id })))?;
        }
        report::note(&format!("the key {} opens {} as well; `key remove` takes one away", &id[..8], ground.name));
        Ok(ExitCode::SUCCESS)
    }

    fn password(&self, ground: &Ground) -> Result<String, Failure> {
        if let Some(name) = &self.new_password {
            return Ok(Sources::of(&ground.project)?.get(name)?.text.expose().to_owned());
        }
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::new(FailureKind::System, format!("cannot read the password: {error}")))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// Remove a key, with which nobody opens the repository any more.
#[derive(Args)]
pub struct Remove {
    /// The first digits of its id, as `key list` shows it
    id: String,
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Remove {
    fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let key = ground.repository(Access::Alone)?.remove_key(&self.id)?;
        if self.json {
            history::answer(|out| report::document(out, &json!({ "repository": ground.name, "removed": key })))?;
        }
        report::note(&format!(
            "the key {} opens {} no more; whoever knew its password may have kept the data or the master key",
            &key.id[..8],
            ground.name
        ));
        Ok(ExitCode::SUCCESS)
    }
}
