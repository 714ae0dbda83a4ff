use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{CommandResult, Opened, Where, told};
use crate::cli::history;
use crate::drivers::backup::{Access, Placing, choose, find};
use crate::failure::{Failure, FailureKind};
use crate::primitive::{Catalogue, Proof, ProofKind};
use crate::report;

/// Restore a part of a snapshot to where nothing is, and verify it.
#[derive(Args)]
pub struct Restore {
    /// The first digits of the snapshot's name, or `latest`
    snapshot: String,
    /// The file or folder to make
    to: PathBuf,
    /// The part; the only one when left out. Of a snapshot that restic made: a path in it
    #[arg(long)]
    part: Option<String>,
    /// The job whose snapshot `latest` means; the project's name when left out
    #[arg(long)]
    job: Option<String>,
    /// Leave files to whoever restores them, instead of giving them back
    #[arg(long)]
    no_owners: bool,
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Restore {
    /// Restores, and compares with the manifest.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let Opened { repository, journal, snapshots, .. } = ground.open(Access::Shared)?;
        let job = self.job.as_deref().unwrap_or(ground.project.name());
        let snapshot = find(snapshots, &self.snapshot, job)?;
        let manifest = repository.manifest(&snapshot)?;
        let (path, record) = choose(&snapshot, manifest.as_ref(), self.part.as_deref())?;
        let target = std::path::absolute(&self.to)
            .map_err(|error| Failure::system(format!("find `{}`", self.to.display()), &error))?;
        let key = std::process::id().to_string();
        let placing = Placing { target, key, owners: !self.no_owners, replace: false };
        let restoring = || repository.restore(&snapshot, &path, record, &placing);
        let tally = told("restore", self.json, &repository.meter(), restoring).map_err(|failure| {
            if failure.kind == FailureKind::Conflict {
                return failure.hint("`restore(…, #{ replace: true })` in a runbook saves it first and replaces it");
            }
            failure
        })?;
        if record.is_some() {
            let proof = Proof { how: ProofKind::Restored, at: Timestamp::now() };
            journal.note_proof(&ground.name, &[&snapshot.id], proof)?;
        }
        if self.json {
            let document = json!({ "snapshot": snapshot.id, "part": path, "to": self.to.display().to_string(), "restored": tally });
            history::answer(|out| report::document(out, &document))?;
        }
        report::note(&format!(
            "restored {} files, {} folders, {} links, {} to {}; read again from the disk: as it was saved",
            tally.files,
            tally.folders,
            tally.links,
            report::bytes(tally.bytes),
            self.to.display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}
