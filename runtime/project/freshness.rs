use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::BackupRepository;
use crate::units::{ByteSize, Span};

/// A snapshot, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Made {
    /// The first digits of its name.
    pub name: String,
    /// What it belongs to.
    pub job: String,
    /// When it was made.
    pub at: Timestamp,
    /// How much is in it.
    pub bytes: u64,
    /// When it was last restored in a drill.
    pub drilled: Option<Timestamp>,
    /// It was there once, and nobody forgot it.
    pub gone: bool,
    /// Are sources missing in it?
    pub partial: bool,
}

/// What kind of thing is wrong with a job's backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StaleKind {
    /// The newest snapshot is too old.
    TooOld,
    /// There is none.
    Missing,
    /// The newest is less than half as large as the one before.
    Shrunk,
    /// No snapshot was restored in a drill for too long.
    NotDrilled,
    /// The newest is from the future.
    Future,
    /// A snapshot is gone that nobody forgot.
    Gone,
    /// The newest is only partial.
    Partial,
    /// The last drill did not go well.
    DrillFailed,
    /// The last drill took longer than it may.
    SlowDrill,
}

/// What somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stale {
    /// The job.
    pub job: String,
    /// What it is.
    pub kind: StaleKind,
    /// In words.
    pub text: String,
}

/// What is wrong with how old, how large and how well tried the snapshots of a repository are: a pure function of what is known.
pub fn freshness(repository: &BackupRepository, all: &[Made], now: Timestamp) -> Vec<Stale> {
    let mut jobs: BTreeMap<&str, Vec<&Made>> = repository.jobs.keys().map(|job| (job.as_str(), Vec::new())).collect();
    for made in all {
        jobs.entry(&made.job).or_default().push(made);
    }
    let mut found = Vec::new();
    for (job, mut made) in jobs {
        made.sort_by_key(|made| made.at);
        let mut add = |kind, text| found.push(Stale { job: job.to_owned(), kind, text });
        for lost in made.iter().filter(|made| made.gone) {
            add(StaleKind::Gone, format!("snapshot {} of {job} is gone, and nobody forgot it here", lost.name));
        }
        made.retain(|made| !made.gone);
        if let Some(newest) = made.last().filter(|made| made.partial) {
            add(
                StaleKind::Partial,
                format!("the newest snapshot of {job}, {}, is partial, and counts as none", newest.name),
            );
        }
        made.retain(|made| !made.partial);
        of_job(job, &made, repository.limits_of(job), now, &mut add);
    }
    found
}

fn of_job(
    job: &str,
    made: &[&Made],
    (max_age, max_drill_age): (Option<Span>, Option<Span>),
    now: Timestamp,
    add: &mut dyn FnMut(StaleKind, String),
) {
    let Some(newest) = made.last() else { return add(StaleKind::Missing, format!("there is no snapshot of {job}")) };
    let age = now.duration_since(newest.at);
    if age < SignedDuration::from_hours(-1) {
        add(StaleKind::Future, format!("the newest snapshot of {job} is from the future: a clock is wrong"));
    }
    if let Some(limit) = max_age.filter(|limit| is_beyond(age, *limit)) {
        let age = words(age);
        add(StaleKind::TooOld, format!("the newest snapshot of {job} is {age} old, and {limit} are allowed"));
    }
    if let [.., before, newest] = made
        && newest.bytes < before.bytes / 2
    {
        let (now, then) = (ByteSize(newest.bytes), ByteSize(before.bytes));
        add(StaleKind::Shrunk, format!("the newest snapshot of {job} has {now}, the one before had {then}"));
    }
    if let Some(limit) = max_drill_age {
        let last = made.iter().filter_map(|made| made.drilled).max();
        // A job that has just begun has time for its first drill.
        let since = last.or_else(|| made.first().map(|made| made.at)).unwrap_or(now);
        if is_beyond(now.duration_since(since), limit) {
            let last = last.map_or_else(|| "never".to_owned(), |at| format!("{} ago", words(now.duration_since(at))));
            let text = format!("the last restore drill of {job} was {last}, and {limit} are allowed");
            add(StaleKind::NotDrilled, text.replace("was never", "never was"));
        }
    }
}

/// Hours, as everybody thinks of such ages; less than one exactly.
fn words(age: SignedDuration) -> String {
    let seconds = age.as_secs().cast_unsigned();
    Span::seconds(if seconds < 3_600 { seconds } else { seconds / 3_600 * 3_600 }).to_string()
}

fn is_beyond(age: SignedDuration, limit: Span) -> bool {
    SignedDuration::try_from(limit.0).is_ok_and(|limit| age > limit)
}
