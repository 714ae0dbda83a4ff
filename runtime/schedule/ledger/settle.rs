use std::borrow::Cow;

use super::{Action, Standing, World};
use crate::journal::{Fire, FireChange, FireResult, FireState, RunState};
use crate::project::{OnCrash, ScheduleEntry};

/// How often a run is gone on with that dies again and again.
const MOST_RESUMES: u32 = 5;

/// Draws the consequences of what became of workers and runs.
pub fn settle(standing: &Standing, world: &World<'_>) -> (Vec<FireChange>, Vec<Action>) {
    let (mut changes, mut actions) = (Vec::new(), Vec::new());
    for fire in &standing.open {
        let entry = || entry_of(standing, world, fire);
        match (fire.state, fire.run_state) {
            // Its worker belongs to this service, and has yet to begin or to end.
            _ if world.working.contains(&fire.id) && fire.run_state != Some(RunState::Running) => {}
            (FireState::Starting, _) => changes.push(FireChange::Return { fire: fire.id }),
            (FireState::Running, Some(RunState::Ok)) => changes.push(close(fire, FireResult::Ok)),
            (FireState::Running, Some(RunState::Cancelled)) => changes.push(close(fire, FireResult::Cancelled)),
            (FireState::Running, Some(RunState::Failed)) => {
                changes.push(again_or_close(fire, &entry(), world.now.wall, FireResult::Failed));
            }
            (FireState::Running, Some(RunState::Killed)) => match entry().on_crash {
                OnCrash::Resume if fire.resumes < MOST_RESUMES => {
                    changes.push(FireChange::Resume { fire: fire.id });
                    actions.extend(fire.run.map(|run| Action::Resume { fire: fire.id, run }));
                }
                OnCrash::Fail => changes.push(again_or_close(fire, &entry(), world.now.wall, FireResult::Killed)),
                OnCrash::Ask | OnCrash::Resume => changes.push(close(fire, FireResult::Killed)),
            },
            (FireState::Running, Some(RunState::Running)) if over_time(fire, &entry(), world.now.wall) => {
                actions.extend(fire.run.map(|run| Action::Stop { run }));
            }
            _ => {}
        }
    }
    (changes, actions)
}

/// What to do with a worker that ended without having begun its run: with these last words.
pub fn never_began(fire: &Fire, entry: &ScheduleEntry, now: i64, words: &str) -> FireChange {
    match again_or_close(fire, entry, now, FireResult::Refused) {
        FireChange::Close { fire, result, .. } => FireChange::Close { fire, result, note: Some(words.to_owned()) },
        retry => retry,
    }
}

fn close(fire: &Fire, result: FireResult) -> FireChange {
    FireChange::Close { fire: fire.id, result, note: None }
}

/// Another try, while there is one left; each waits twice as long as the one before.
fn again_or_close(fire: &Fire, entry: &ScheduleEntry, now: i64, result: FireResult) -> FireChange {
    if !entry.tries_again_after(fire.attempt) {
        return close(fire, result);
    }
    let first = i64::try_from(entry.backoff.0.as_secs()).unwrap_or(i64::MAX);
    let wait = first.saturating_mul(1 << (fire.attempt - 1).min(16));
    FireChange::Retry { fire: fire.id, due: now.saturating_add(wait) }
}

fn over_time(fire: &Fire, entry: &ScheduleEntry, now: i64) -> bool {
    let limit = entry.timeout.map(|span| i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX));
    fire.run_since.zip(limit).is_some_and(|(since, limit)| now - since >= limit)
}

/// What the fire's schedule says: the project's word, else the ledger's last.
fn entry_of<'w>(standing: &Standing, world: &World<'w>, fire: &Fire) -> Cow<'w, ScheduleEntry> {
    if let Some(definition) = world.definitions.get(&fire.schedule) {
        return Cow::Borrowed(definition.entry());
    }
    let row = standing.schedules.iter().find(|row| row.name == fire.schedule);
    Cow::Owned(row.and_then(|row| serde_json::from_str(&row.definition).ok()).unwrap_or_default())
}
