use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandResult, Where, local, moment};
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
        let opened = ground.open(Access::Shared)?;
        let job = self.job.as_deref().unwrap_or(ground.project.name());
        let snapshot = find(opened.snapshots, &self.snapshot, job)?;
        let manifest = opened.repository.manifest(&snapshot)?;
        let known = opened.known.into_iter().find(|row| row.id == snapshot.id);
        let proofs = known.as_ref().map(|row| row.proofs.clone()).unwrap_or_default();
        let copies = known.map(|row| row.copies).unwrap_or_default();
        history::answer(|out| {
            if self.json {
                let document =
                    json!({ "snapshot": snapshot, "manifest": manifest, "proofs": proofs, "copies": copies });
                return report::document(out, &document);
            }
            writeln!(out, "snapshot {}", snapshot.id)?;
            let took = report::elapsed(snapshot.milliseconds);
            writeln!(out, "{} on {}, job {}, made in {took}", moment(&snapshot), snapshot.host, snapshot.group())?;
            for proof in &proofs {
                writeln!(out, "{} {}", proof.how.word(), local(proof.at))?;
            }
            if !copies.is_empty() {
                writeln!(out, "copied to {}", copies.join(", "))?;
            }
            writeln!(out)?;
            let Some(manifest) = &manifest else {
                writeln!(out, "made by restic, of")?;
                return snapshot.paths.iter().try_for_each(|path| writeln!(out, "  {path}"));
            };
            for missing in &manifest.missing {
                writeln!(out, "partial, without {}: {}", missing.name, missing.why)?;
            }
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
