use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandResult, Opened, Where, moment, told};
use crate::cli::history;
use crate::drivers::backup::{Access, Snapshot, find};
use crate::failure::{Failure, FailureKind};
use crate::primitive::Catalogue;
use crate::report::{self, Style};

/// Copy snapshots into another repository, as far as they are missing there.
#[derive(Args)]
pub struct Copy {
    /// The repository to copy to: a [backup.NAME] of runbook.toml
    to: String,
    /// The first digits of snapshots, or `latest`; all of them when left out
    snapshots: Vec<String>,
    /// Only those of this job, also as `latest`; the project's name is meant by `latest` when left out
    #[arg(long)]
    job: Option<String>,
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Copy {
    /// Copies, and looks whether everything came there.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let other = Where { repository: Some(self.to.clone()), env: self.place.env.clone() }.ground()?;
        if ground.name == other.name {
            let message = format!("the snapshots of {} are there already", other.name);
            return Err(Failure::new(FailureKind::Argument, message).hint("`--repository` names where to copy from"));
        }
        let Opened { repository, journal, snapshots: all, .. } = ground.open(Access::Shared)?;
        let job = self.job.as_deref().unwrap_or(ground.project.name());
        let chosen: Vec<Snapshot> = if self.snapshots.is_empty() {
            all.into_iter().filter(|one| self.job.as_ref().is_none_or(|job| one.group() == *job)).collect()
        } else {
            self.snapshots.iter().map(|name| find(all.clone(), name, job)).collect::<Result<_, _>>()?
        };
        let ids: Vec<String> = chosen.iter().map(|snapshot| snapshot.id.clone()).collect();
        let there = other.repository(Access::Shared)?;
        let copied = told("copy", self.json, &there.meter(), || repository.copy(there, &ids))?;
        ids.iter().try_for_each(|id| journal.note_copy(&ground.name, id, &other.name))?;
        history::answer(|out| {
            if self.json {
                return report::document(out, &json!({ "repository": other.name, "copied": copied }));
            }
            let row = |one: &Snapshot| [one.short().to_owned(), moment(one), report::bytes(one.bytes), one.group()];
            let rows: Vec<_> = copied.iter().map(row).collect();
            report::listing(out, ["ID", "TIME", "SIZE", "JOB"], &rows, Style::detect_stdout())
        })?;
        let (new, all) = (copied.len(), ids.len());
        report::note(&format!("copied {new} of {all} snapshots to {}, the others were there", other.name));
        Ok(ExitCode::SUCCESS)
    }
}
