//! Fires that are tried again: what failed and is begun once more is no news yet.

use crate::failure::Failure;
use crate::journal::{Fire, FireState, Journal};
use crate::project::ScheduleEntry;

/// Is a run of this fire that failed followed by another try, or was it?
pub(super) fn is_tried_again(journal: &Journal, run: i64, fire: &Fire) -> Result<bool, Failure> {
    if fire.run != Some(run) {
        return Ok(true);
    }
    Ok(match fire.state {
        FireState::Due | FireState::Starting => true,
        FireState::Ran | FireState::Skipped => false,
        // Nobody has drawn the consequences yet.
        FireState::Running => {
            let row = journal.schedules_named(std::slice::from_ref(&fire.schedule))?.pop();
            let entry: Option<ScheduleEntry> = row.and_then(|row| serde_json::from_str(&row.definition).ok());
            entry.is_some_and(|entry| entry.tries_again_after(fire.attempt))
        }
    })
}

/// How often it was tried.
pub(super) fn tries(fire: &Fire) -> u32 {
    // One that was left out while it waited for another try did not make that one.
    let waited = fire.state == FireState::Skipped && fire.run.is_some();
    fire.attempt - u32::from(waited && fire.attempt > 1)
}

/// `failed`, or `failed 3 times`.
pub(super) fn times(did: &str, count: u32) -> String {
    if count > 1 { format!("{did} {count} times") } else { did.to_owned() }
}
