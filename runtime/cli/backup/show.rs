use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandResult, Where, moment};
use crate::cli::history;
use crate::drivers::backup::{Access, find};
use crate::report::{self, Style};

/// Show what a snapshot holds.
#[derive(Args)]
pub struct Show {
    /// The first digits of the snapshot's name, or `latest`
    snapshot: String,
    /// The job whose snapshot `latest` means; the project's name when left out
    #[arg(long)]
    job: Option<String>,
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Show {
    /// Prints its parts.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let repository = ground.open(Access::Shared)?;
        let job = self.job.as_deref().unwrap_or(ground.project.name());
        let snapshot = find(repository.snapshots()?, &self.snapshot, job)?;
        let manifest = repository.manifest(&snapshot)?;
        history::answer(|out| {
            if self.json {
                return report::document(out, &json!({ "snapshot": snapshot, "manifest": manifest }));
            }
            writeln!(out, "snapshot {}", snapshot.id)?;
            writeln!(out, "{} on {}, job {}\n", moment(&snapshot), snapshot.host, snapshot.group())?;
            let Some(manifest) = &manifest else {
                writeln!(out, "made by restic, of")?;
                return snapshot.paths.iter().try_for_each(|path| writeln!(out, "  {path}"));
            };
            let rows: Vec<_> = manifest
                .parts
                .iter()
                .map(|part| {
                    let (files, bytes) = (part.tally.files.to_string(), report::bytes(part.tally.bytes));
                    [part.name.clone(), part.kind.clone(), files, bytes, part.from.clone()]
                })
                .collect();
            report::listing(out, ["PART", "KIND", "FILES", "SIZE", "FROM"], &rows, Style::detect_stdout())
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
