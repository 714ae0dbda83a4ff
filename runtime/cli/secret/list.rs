use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{CommandResult, Where};
use crate::cli::history;
use crate::report::{self, Style};
use crate::secrets::sealed::{Opened, file_of};

/// List the names of the sealed values, when each was set, and by whom. No identity is needed.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl List {
    /// Prints the names.
    pub fn run(self) -> CommandResult {
        let opened = self.place.ground()?.opened()?;
        history::answer(|out| {
            if self.json {
                report::document(out, &as_json(&opened))
            } else {
                report::listing(out, ["NAME", "SET", "BY", "GENERATED"], &rows(&opened), Style::detect_stdout())
            }
        })?;
        if !self.json {
            let file = file_of(opened.environment());
            report::note(&format!(
                "\n{file}, serial {}, sealed to {}",
                opened.serial(),
                opened.recipients().join(", ")
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn rows(opened: &Opened) -> Vec<[String; 4]> {
    let value = |name: String| {
        let value = opened.value(&name)?;
        let changed = value.changed.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
        Some([name, changed, value.by.clone(), value.generated.clone().unwrap_or_default()])
    };
    opened.names().into_iter().filter_map(value).collect()
}

fn as_json(opened: &Opened) -> serde_json::Value {
    let value = |name: String| {
        let value = opened.value(&name)?;
        Some(json!({ "name": name, "changed": value.changed, "by": value.by, "generated": value.generated }))
    };
    let secrets: Vec<_> = opened.names().into_iter().filter_map(value).collect();
    json!({
        "environment": opened.environment(),
        "serial": opened.serial(),
        "recipients": opened.recipients(),
        "secrets": secrets,
    })
}
