//! When a run stood still and who went on with it, read from its chained entries.

use jiff::Timestamp;
use serde::Serialize;

use super::entry::{Entry, Fact};
use super::{Event, Journal, RunState};
use crate::failure::{Failure, FailureKind};

/// A time during which a run had no process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interruption {
    /// When it came to a stand; where the process died, its last sign of life.
    pub at: Timestamp,
    /// How it stood: killed, in doubt, waiting for a person.
    pub state: RunState,
    /// When somebody went on with it, and who: `user@machine`.
    pub ended: Option<(Timestamp, String)>,
}

impl Journal {
    /// Every time the run came to a stand, the first one first.
    pub fn interruptions(&self, run: i64) -> Result<Vec<Interruption>, Failure> {
        let bodies: Vec<String> = self.read("read when the run stood still", |connection| {
            connection
                .prepare_cached(
                    "SELECT body FROM entry
                     WHERE run = ?1 AND body ->> '$.event' IN ('run_buried', 'run_parked', 'run_taken_up')
                     ORDER BY number",
                )?
                .query_map([run], |row| row.get(0))?
                .collect()
        })?;
        let mut all: Vec<Interruption> = Vec::new();
        for body in bodies {
            let entry = Entry::parse(&body).map_err(|_| {
                Failure::new(FailureKind::Invalid, format!("what interrupted run {run} cannot be read"))
                    .hint(format!("`runbook show {run} --verify` says what is wrong with it"))
            })?;
            match entry {
                Entry::Fact(fact) => match &*fact {
                    Fact::RunBuried { last_sign, .. } => {
                        all.push(Interruption { at: *last_sign, state: RunState::Killed, ended: None });
                    }
                    Fact::RunTakenUp { by, at, .. } => {
                        if let Some(last) = all.last_mut() {
                            last.ended = Some((*at, by.clone()));
                        }
                    }
                    _ => {}
                },
                Entry::Event(event) => {
                    if let Event::RunParked { parked, .. } = &*event {
                        all.push(Interruption { at: parked.at, state: parked.state, ended: None });
                    }
                }
            }
        }
        Ok(all)
    }
}
