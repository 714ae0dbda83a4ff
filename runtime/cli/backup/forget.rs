use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::{CommandResult, Where, by_job, moment};
use crate::cli::history;
use crate::drivers::backup::{Access, Snapshot};
use crate::failure::{Failure, FailureKind};
use crate::project::{Candidate, Keep, PROJECT_FILE};
use crate::report::{self, Style};

/// Forget the snapshots that no rule of `keep` keeps, and say why each one goes or stays.
#[derive(Args)]
pub struct Forget {
    #[command(flatten)]
    place: Where,
    /// Only those of this job
    #[arg(long)]
    job: Option<String>,
    /// Only say what would be forgotten
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Write one JSON list
    #[arg(long)]
    json: bool,
}

/// What becomes of a snapshot.
#[derive(Serialize)]
struct Decision {
    #[serde(flatten)]
    snapshot: Snapshot,
    kept_by: Vec<String>,
}

impl Forget {
    /// Decides about each job alone.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        if ground.keep.is_empty() {
            let message = format!("[backup.{}] of {PROJECT_FILE} has no rules of what to keep", ground.name);
            return Err(Failure::new(FailureKind::Invalid, message)
                .hint("add some: keep = { daily = 7, weekly = 4, monthly = 12 }"));
        }
        let repository = ground.open(if self.dry_run { Access::Shared } else { Access::Alone })?;
        let mut all = repository.snapshots()?;
        all.retain(|snapshot| self.job.as_ref().is_none_or(|job| snapshot.group() == *job));
        refuse_the_future(&all, Timestamp::now())?;
        let decisions: Vec<Decision> =
            by_job(all).into_iter().flat_map(|(_, snapshots)| decide(&ground.keep, snapshots)).collect();
        let gone: Vec<String> = decisions
            .iter()
            .filter(|decision| decision.kept_by.is_empty())
            .map(|decision| decision.snapshot.id.clone())
            .collect();
        if !self.dry_run && !gone.is_empty() {
            repository.forget(&gone)?;
        }
        history::answer(|out| {
            if self.json {
                return report::document(out, &decisions);
            }
            let rows: Vec<_> = decisions.iter().map(row).collect();
            report::listing(out, ["ID", "TIME", "JOB", "KEPT BY"], &rows, Style::detect_stdout())
        })?;
        let how = if self.dry_run { "would be forgotten" } else { "forgotten" };
        report::note(&format!("{} of {} snapshots {how}", gone.len(), decisions.len()));
        Ok(ExitCode::SUCCESS)
    }
}

fn decide(keep: &Keep, snapshots: Vec<Snapshot>) -> Vec<Decision> {
    let candidates: Vec<Candidate<'_>> =
        snapshots.iter().map(|snapshot| Candidate { time: &snapshot.time, tags: &snapshot.tags }).collect();
    let reasons = keep.decide(&candidates);
    snapshots.into_iter().zip(reasons).map(|(snapshot, kept_by)| Decision { snapshot, kept_by }).collect()
}

/// By a wrong clock, good snapshots look old.
fn refuse_the_future(all: &[Snapshot], now: Timestamp) -> Result<(), Failure> {
    let ahead = all.iter().find(|snapshot| snapshot.time.timestamp().duration_since(now).as_secs() > 3600);
    let Some(snapshot) = ahead else { return Ok(()) };
    let message = format!("snapshot {} is from the future ({}): a clock is wrong", snapshot.short(), moment(snapshot));
    Err(Failure::new(FailureKind::Refused, message).hint("nothing is forgotten before that is mended"))
}

fn row(decision: &Decision) -> [String; 4] {
    let kept = if decision.kept_by.is_empty() { "- forgotten".to_owned() } else { decision.kept_by.join(", ") };
    let snapshot = &decision.snapshot;
    [snapshot.short().to_owned(), moment(snapshot), snapshot.group(), kept]
}
