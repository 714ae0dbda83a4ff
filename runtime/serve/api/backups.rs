//! What is known of backups, without opening a repository.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::entry::State;
use crate::failure::{Failure, FailureKind};
use crate::journal::{Catalogued, Drill};
use crate::project::{BackupRepository, drill_findings, freshness};

/// What is known of a job.
#[derive(Default)]
struct Job {
    snapshots: usize,
    /// The newest one: when it was made, and what is told of it.
    newest: Option<(Timestamp, Value)>,
}

fn jobs(state: &State, name: &str, repository: &BackupRepository) -> Result<BTreeMap<String, Job>, Failure> {
    let mut jobs: BTreeMap<String, Job> = repository.jobs.keys().map(|job| (job.clone(), Job::default())).collect();
    // The oldest comes first.
    for row in state.api.journal.catalogued(name)?.into_iter().filter(|row| !row.gone && !row.is_partial()) {
        let age = age(row.at);
        let told =
            json!({ "id": row.id, "at": row.at, "age_seconds": age, "bytes": row.bytes, "proven": row.proven() });
        let job = jobs.entry(row.job).or_default();
        job.snapshots += 1;
        job.newest = Some((row.at, told));
    }
    Ok(jobs)
}

/// The repositories: how old the newest snapshot of each job is, and what is wrong with that.
pub(super) fn overview(state: &State) -> Result<Value, Failure> {
    let mut all = Vec::new();
    for (name, repository) in state.api.surroundings.backups()? {
        let made: Vec<_> = state.api.journal.catalogued(&name)?.iter().map(Catalogued::made).collect();
        let drills: Vec<_> = state.api.journal.drilled(&name)?.iter().map(Drill::drilled).collect();
        let mut findings = freshness(&repository, &made, Timestamp::now());
        findings.extend(drill_findings(&repository, &drills));
        let jobs: Vec<Value> = jobs(state, &name, &repository)?
            .into_iter()
            .map(|(job, Job { snapshots, newest })| {
                json!({ "job": job, "snapshots": snapshots, "newest": newest.map(|(_, told)| told) })
            })
            .collect();
        all.push(json!({ "repository": name, "jobs": jobs, "findings": findings }));
    }
    Ok(Value::Array(all))
}

/// How old the newest snapshot of each repository and job is, in seconds.
pub(super) fn ages(state: &State) -> Result<Vec<(String, String, i64)>, Failure> {
    let mut ages = Vec::new();
    for (name, repository) in state.api.surroundings.backups()? {
        for (job, Job { newest, .. }) in jobs(state, &name, &repository)? {
            ages.extend(newest.map(|(at, _)| (name.clone(), job, age(at))));
        }
    }
    Ok(ages)
}

/// The snapshots of a repository, the newest first.
pub(super) fn snapshots(state: &State, name: &str) -> Result<Value, Failure> {
    if !state.api.surroundings.backups()?.contains_key(name) {
        return Err(Failure::new(FailureKind::NotFound, format!("there is no [backup.{name}] in runbook.toml")));
    }
    let rows = state.api.journal.catalogued(name)?;
    rows.iter()
        .rev()
        .map(|row| {
            let mut told = serde_json::to_value(row)
                .map_err(|_| Failure::new(FailureKind::System, "a snapshot could not be shown"))?;
            told["age_seconds"] = age(row.at).into();
            Ok(told)
        })
        .collect()
}

fn age(at: Timestamp) -> i64 {
    Timestamp::now().duration_since(at).as_secs()
}
