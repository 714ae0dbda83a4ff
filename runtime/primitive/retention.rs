//! Which snapshots of a repository stay, by the rules of the project file and what the run log knows.

use jiff::Timestamp;
use serde::Serialize;

use super::{Catalogue, Catalogued, Failure, FailureKind};
use crate::drivers::backup::{Repository, Snapshot};
use crate::project::{BackupRepository, Candidate, Made, PROJECT_FILE, Project, Signs, Verdict, doubt};

/// What becomes of a snapshot.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// The snapshot.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// By which rules.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What becomes of all of them, and why nothing may be forgotten now.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Each job's oldest first.
    pub all: Vec<Judged>,
    /// One sentence for each job about which there is doubt.
    pub doubts: Vec<String>,
}

impl Judgement {
    /// The names of those that go.
    pub fn gone(&self) -> Vec<String> {
        self.all.iter().filter(|judged| !judged.verdict.is_kept()).map(|judged| judged.snapshot.id.clone()).collect()
    }

    /// Forgets them, unless there is doubt; says how many there were.
    pub fn carry_out(
        &self,
        repository: &Repository,
        catalogue: Option<&dyn Catalogue>,
        name: &str,
    ) -> Result<Vec<String>, Failure> {
        if !self.doubts.is_empty() {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("nothing was forgotten: {}", self.doubts.join("; ")),
            )
            .hint("once that is mended, the next backup settles it")
            .hint("`runbook backup forget --job NAME` forgets those of another job alone"));
        }
        let gone = self.gone();
        if !gone.is_empty() {
            let ids: Vec<&str> = gone.iter().map(String::as_str).collect();
            // First here: what is not forgotten after all is found again, and nobody is told that it vanished.
            catalogue.map_or(Ok(()), |catalogue| catalogue.drop_snapshots(name, &ids))?;
            repository.forget(&gone)?;
        }
        Ok(gone)
    }
}

/// Decides about each job alone; about one only where `only` names it.
pub fn judge(
    catalogue: Option<&dyn Catalogue>,
    project: &Project,
    name: &str,
    snapshots: Vec<Snapshot>,
    only: Option<&str>,
) -> Result<Judgement, Failure> {
    let (_, entry) = project.backup(Some(name))?;
    if entry.keep.is_empty() && entry.jobs.values().all(|job| job.keep.is_none()) {
        let message = format!("[backup.{name}] of {PROJECT_FILE} has no rules of what to keep");
        return Err(Failure::new(FailureKind::Invalid, message)
            .hint("add some: keep = { daily = 7, weekly = 4, monthly = 12 }"));
    }
    let known = catalogue.map_or_else(|| Ok(Vec::new()), |catalogue| catalogue.snapshots(name))?;
    let noted = catalogue.map_or(Ok(None), Catalogue::newest_moment)?;
    let now = Timestamp::now();
    let mut judgement = Judgement { all: Vec::new(), doubts: Vec::new() };
    for (job, snapshots) in by_job(snapshots).into_iter().filter(|(job, _)| only.is_none_or(|only| only == job)) {
        let own = job == project.name();
        let failed = catalogue.map_or(Ok(None), |catalogue| catalogue.failed_backup(name, &job, own))?;
        let signs = Signs { now, noted, failed: failed.map(|(run, _)| run) };
        let times = snapshots.iter().map(|snapshot| snapshot.time.timestamp());
        judgement.doubts.extend(doubt(times, &signs).map(|why| format!("{job}: {why}")));
        if let Some(newest) = snapshots.last().filter(|newest| newest.is_partial()) {
            judgement.doubts.push(format!("{job}: its newest snapshot, {}, is partial", newest.short()));
        }
        judgement.all.extend(decide(entry, &job, snapshots, &known));
    }
    Ok(judgement)
}

fn decide(entry: &BackupRepository, job: &str, snapshots: Vec<Snapshot>, known: &[Catalogued]) -> Vec<Judged> {
    let is_proven = |id: &str| known.iter().any(|row| row.id == id && row.proven().is_some());
    // What is partial takes nobody's place, and goes once something whole is newer.
    let newest =
        snapshots.iter().rev().find(|snapshot| !snapshot.is_partial()).map(|snapshot| snapshot.time.timestamp());
    let candidates: Vec<Candidate<'_>> = snapshots
        .iter()
        .filter(|snapshot| !snapshot.is_partial())
        .map(|snapshot| Candidate { time: &snapshot.time, tags: &snapshot.tags, verified: is_proven(&snapshot.id) })
        .collect();
    let mut verdicts = entry.keep_of(job).decide(&candidates).into_iter();
    let judged = |snapshot: Snapshot| {
        let verdict = if !snapshot.is_partial() {
            verdicts.next().unwrap_or_default()
        } else if newest.is_some_and(|newest| newest > snapshot.time.timestamp()) {
            Verdict { dropped_by: vec!["partial, and a whole one is newer".into()], ..Verdict::default() }
        } else {
            Verdict { kept_by: vec!["partial, and none that is whole is newer".into()], ..Verdict::default() }
        };
        Judged { snapshot, verdict }
    };
    snapshots.into_iter().map(judged).collect()
}

/// Snapshots by job, each job's oldest first.
fn by_job(all: Vec<Snapshot>) -> Vec<(String, Vec<Snapshot>)> {
    let mut jobs: std::collections::BTreeMap<String, Vec<Snapshot>> = std::collections::BTreeMap::new();
    for snapshot in all {
        jobs.entry(snapshot.group()).or_default().push(snapshot);
    }
    jobs.into_iter().collect()
}

impl Catalogued {
    /// What matters of it for how fresh its job is.
    pub fn made(&self) -> Made {
        let drills = self.proofs.iter().filter(|proof| proof.how == super::ProofKind::Drilled);
        Made {
            name: self.id.get(..8).unwrap_or(&self.id).to_owned(),
            job: self.job.clone(),
            at: self.at,
            bytes: self.bytes,
            drilled: drills.map(|proof| proof.at).max(),
            gone: self.gone,
            partial: self.is_partial(),
        }
    }
}
