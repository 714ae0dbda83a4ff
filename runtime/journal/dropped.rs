//! Runs that are dropped: which may be, and what stays behind of them.
//!
//! A run that is missing may have been dropped, or removed by somebody who wants it unseen. So dropping is itself an entry in the
//! chain of the newest run: it names the runs, and holds a hash of all that were ever dropped, with the end of their chains where
//! a later run may lean on it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::chain::{self, Hash, hex};
use super::columns::count;
use super::entry::{Anchor, Entry, Fact};
use super::retention::INTERRUPTED;
use super::table::{DROPPED, FIRE};
use super::{Journal, store};
use crate::failure::Failure;

/// So many of the newest runs of a runbook on an environment stay, however old they are.
const NEWEST: u64 = 10;

/// So many releases of an application on an environment can be gone back to: their runs stay.
const RELEASES: i64 = 20;

/// So many runs are dropped in one go: others who want to write wait no longer than that takes.
const BATCH: usize = 25;

/// So many runs are looked at together when all may be dropped.
const WINDOW: usize = 10_000;

/// And whoever waits looks for his turn ever more rarely: between two goes nobody has it for as long as one took, up to this.
const PAUSE: Duration = Duration::from_millis(100);

/// How long runs of a runbook stay.
#[derive(Clone, Copy, Debug)]
pub struct RunRules {
    /// Those that began longer ago are dropped.
    pub keep: Duration,
    /// Of more than so many on one environment, the oldest.
    pub most: Option<u64>,
}

/// A runbook, and an environment on which it ran.
type Group = (String, String);

/// Runs in a row that were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    /// The first of them.
    pub first: i64,
    /// The end of the chain of the last of them.
    pub end: Anchor,
}

impl Journal {
    /// Drops runs of this runbook on this environment, or of all: those that the rules let go of; and the oldest of all while the
    /// run log takes more than `max_size` bytes. Returns how many.
    ///
    /// The newest runs stay, with the last one that went well, every run that has not ended or may be gone on with, and the runs of
    /// releases that can be gone back to.
    pub fn prune_runs(
        &self,
        of: Option<(&str, &str)>,
        rules: &dyn Fn(&str) -> RunRules,
        max_size: Option<u64>,
    ) -> Result<usize, Failure> {
        if self.is_copy() {
            return Ok(0);
        }
        let now = Timestamp::now();
        let mut dropped = 0;
        let mut drop_old = |runbook: &str, environment: &str, until: i64| {
            let RunRules { keep, most } = rules(runbook);
            let oldest = now.checked_sub(keep).map_or(i64::MIN, Timestamp::as_microsecond);
            while let count @ 1.. = self.drop_some(runbook, environment, oldest, most.unwrap_or(u64::MAX), until)? {
                dropped += count;
            }
            Ok::<_, Failure>(())
        };
        if let Some((runbook, environment)) = of {
            drop_old(runbook, environment, i64::MAX)?;
        } else {
            // From the oldest on, whatever their runbooks: what is dropped lies side by side then, and is remembered as a whole.
            let mut behind = 0;
            while let Some((until, groups)) = self.groups_behind(behind, WINDOW)? {
                groups.iter().try_for_each(|(runbook, environment)| drop_old(runbook, environment, until))?;
                behind = until;
            }
        }
        let Some(max_size) = max_size else { return Ok(dropped) };
        let mut behind = 0;
        while self.bytes_used()? > max_size
            && let Some((until, groups)) = self.groups_behind(behind, BATCH)?
        {
            for (runbook, environment) in &groups {
                dropped += self.drop_some(runbook, environment, i64::MIN, NEWEST, until)?;
            }
            behind = until;
        }
        Ok(dropped)
    }

    /// The runbooks and environments of so many runs behind that one, and the last of these runs.
    fn groups_behind(&self, behind: i64, many: usize) -> Result<Option<(i64, Vec<Group>)>, Failure> {
        self.read("read the runs", |connection| {
            let last: Option<i64> = connection
                .prepare_cached("SELECT max(id) FROM (SELECT id FROM run WHERE id > ?1 ORDER BY id LIMIT ?2)")?
                .query_row(params![behind, count(many)], |row| row.get(0))?;
            let Some(last) = last else { return Ok(None) };
            let groups = connection
                .prepare_cached("SELECT DISTINCT runbook, environment FROM run WHERE id > ?1 AND id <= ?2")?
                .query_map([behind, last], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Some((last, groups)))
        })
    }

    /// Drops the oldest runs that began before that moment, or are more than so many; none behind the run `until`.
    fn drop_some(
        &self,
        runbook: &str,
        environment: &str,
        oldest: i64,
        most: u64,
        until: i64,
    ) -> Result<usize, Failure> {
        let look = |connection: &Connection| droppable(connection, runbook, environment, oldest, most, until);
        // Nearly always there is nothing to do, and then nobody who wants to write is kept waiting.
        if self.read("look for old runs", look)?.is_empty() {
            return Ok(0);
        }
        let began = Instant::now();
        let dropped = self.write("drop old runs", |writer| {
            writer.set_durable(false)?;
            let transaction = writer.transaction()?;
            let runs = look(&transaction)?;
            if !runs.is_empty() {
                drop_runs(&transaction, &runs)?;
                transaction.commit()?;
            }
            Ok(runs.len())
        })?;
        if dropped == BATCH {
            std::thread::sleep(began.elapsed().min(PAUSE));
        }
        Ok(dropped)
    }

    /// Without the room that what was dropped has left.
    fn bytes_used(&self) -> Result<u64, Failure> {
        self.read("measure the run log", |connection| {
            let ask = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            let used = (ask("page_count")? - ask("freelist_count")?) * ask("page_size")?;
            Ok(u64::try_from(used).unwrap_or_default())
        })
    }
}

fn droppable(
    connection: &Connection,
    runbook: &str,
    environment: &str,
    oldest: i64,
    most: u64,
    until: i64,
) -> rusqlite::Result<Vec<i64>> {
    let nth = |place: u64| -> rusqlite::Result<i64> {
        let found: Option<i64> = connection
            .prepare_cached(
                "SELECT id FROM run WHERE runbook = ?1 AND environment = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3",
            )?
            .query_row(params![runbook, environment, i64::try_from(place).unwrap_or(i64::MAX)], |row| row.get(0))
            .optional()?;
        Ok(found.unwrap_or(0))
    };
    // Runs begin in the order of their numbers, but for a clock that was set: nothing is looked through in vain.
    let too_old: Option<i64> = connection
        .prepare_cached("SELECT id FROM run WHERE started_at < ?1 ORDER BY started_at DESC LIMIT 1")?
        .query_row([oldest], |row| row.get(0))
        .optional()?;
    let too_many = if most == u64::MAX { 0 } else { nth(most.max(NEWEST))? };
    let last = too_old.unwrap_or(0).max(too_many).min(nth(NEWEST)?).min(until);
    let recently = Timestamp::now().checked_sub(INTERRUPTED).map_or(0, Timestamp::as_microsecond);
    connection
        .prepare_cached(
            "SELECT id FROM run WHERE runbook = ?1 AND environment = ?2 AND id <= ?3
                AND (started_at < ?4 OR id <= ?5)
                AND (state IN ('ok', 'failed', 'cancelled') OR (state = 'killed' AND finished_at < ?6))
                AND id <> (SELECT max(id) FROM run)
                AND id <> ifnull((SELECT max(id) FROM run WHERE runbook = ?1 AND environment = ?2 AND state = 'ok'), 0)
                AND NOT EXISTS (SELECT 1 FROM run AS later WHERE later.from_run = run.id)
                AND NOT EXISTS (SELECT 1 FROM release WHERE release.run = run.id AND
                    (SELECT count(*) FROM release AS newer WHERE newer.project = release.project
                        AND newer.environment = release.environment AND newer.number > release.number) < ?7)
             ORDER BY id LIMIT ?8",
        )?
        .query_map(params![runbook, environment, last, oldest, too_many, recently, RELEASES, count(BATCH)], |row| {
            row.get(0)
        })?
        .collect()
}

fn drop_runs(transaction: &Transaction<'_>, runs: &[i64]) -> rusqlite::Result<()> {
    for run in runs {
        let (number, hash): (i64, Hash) = transaction
            .prepare_cached("SELECT number, hash FROM entry WHERE run = ?1 ORDER BY number DESC LIMIT 1")?
            .query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .unwrap_or((0, chain::BEGINNING));
        add(transaction, Anchor { run: *run, number, hash: hex(&hash) })?;
        forget(transaction, *run)?;
    }
    let newest: i64 = transaction.query_row("SELECT max(id) FROM run", [], |row| row.get(0))?;
    let all = digest(ranges(transaction)?.values());
    let fact = Fact::RunsDropped { runs: in_a_row(runs), all, at: Timestamp::now() };
    store::enter(transaction, newest, &Entry::from(&fact)).map(drop)
}

/// Numbers in order, as ranges.
fn in_a_row(runs: &[i64]) -> Vec<(i64, i64)> {
    runs.chunk_by(|one, other| one + 1 == *other).filter_map(|row| Some((*row.first()?, *row.last()?))).collect()
}

/// The hash of all that was dropped.
pub(super) fn digest<'a>(ranges: impl IntoIterator<Item = &'a Dropped>) -> String {
    let line =
        |Dropped { first, end: Anchor { run, number, hash } }: &Dropped| format!("{first} {run} {number} {hash}\n");
    chain::text_hash(&ranges.into_iter().map(line).collect::<String>())
}

/// Removes everything that is known of a run, and the texts that nobody else has.
fn forget(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
    let ids = |sql: &str| -> rusqlite::Result<Vec<String>> {
        transaction.prepare_cached(sql)?.query_map([run], |row| row.get(0))?.collect()
    };
    for fire in ids("SELECT CAST(id AS TEXT) FROM fire WHERE run = ?1")? {
        transaction.prepare_cached("UPDATE fire SET run = NULL WHERE id = ?1")?.execute([&fire])?;
        FIRE.seal(transaction, &fire)?;
    }
    let texts = ids("SELECT hash FROM source WHERE run = ?1")?;
    for table in ["release", "call", "source", "entry"] {
        transaction.prepare_cached(&format!("DELETE FROM {table} WHERE run = ?1"))?.execute([run])?;
    }
    transaction.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([run])?;
    for text in texts {
        transaction
            .prepare_cached(
                "DELETE FROM text WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM source WHERE source.hash = text.hash)",
            )?
            .execute([text])?;
    }
    Ok(())
}

/// All that was dropped, by the first run of each range.
pub(super) fn ranges(connection: &Connection) -> rusqlite::Result<BTreeMap<i64, Dropped>> {
    connection
        .prepare_cached("SELECT first, last, number, hash FROM dropped ORDER BY first")?
        .query_map([], |row| Ok((row.get(0)?, read(row)?)))?
        .collect()
}

/// The range in which that run was dropped.
pub(super) fn range_of(ranges: &BTreeMap<i64, Dropped>, run: i64) -> Option<&Dropped> {
    ranges.range(..=run).next_back().map(|(_, range)| range).filter(|range| range.end.run >= run)
}

/// The same, looked up.
pub(super) fn find(connection: &Connection, run: i64) -> rusqlite::Result<Option<Dropped>> {
    let found = connection
        .prepare_cached("SELECT first, last, number, hash FROM dropped WHERE first <= ?1 ORDER BY first DESC LIMIT 1")?
        .query_row([run], read)
        .optional()?;
    Ok(found.filter(|range| range.end.run >= run))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Dropped> {
    let end = Anchor { run: row.get(1)?, number: row.get(2)?, hash: row.get(3)? };
    Ok(Dropped { first: row.get(0)?, end })
}

/// Notes a run with the end of its chain, in one range with those beside it.
fn add(transaction: &Transaction<'_>, end: Anchor) -> rusqlite::Result<()> {
    let (before, after) = (find(transaction, end.run - 1)?, find(transaction, end.run + 1)?);
    let first = before.map_or(end.run, |before| before.first);
    if let Some(after) = &after {
        transaction.prepare_cached("DELETE FROM dropped WHERE first = ?1")?.execute([after.first])?;
    }
    let Anchor { run, number, hash } = after.map_or(end, |after| after.end);
    transaction
        .prepare_cached("INSERT OR REPLACE INTO dropped (first, last, number, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![first, run, number, hash])?;
    DROPPED.seal(transaction, &first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::schema;

    #[test]
    fn runs_beside_each_other_are_one_range() -> rusqlite::Result<()> {
        let mut connection = schema::JOURNAL.in_memory()?;
        let transaction = connection.transaction()?;
        for run in [5, 3, 9, 4, 1, 8, 6] {
            add(&transaction, Anchor { run, number: 7, hash: format!("hash of {run}") })?;
        }
        let ranges = ranges(&transaction)?;
        let found: Vec<(i64, i64)> = ranges.values().map(|range| (range.first, range.end.run)).collect();
        assert_eq!(found, [(1, 1), (3, 6), (8, 9)]);
        assert_eq!(ranges[&3].end.hash, "hash of 6");
        for run in 0..12 {
            assert_eq!(find(&transaction, run)?.as_ref(), range_of(&ranges, run), "{run}");
        }
        assert!(find(&transaction, 7)?.is_none() && find(&transaction, 5)?.is_some());
        assert!(DROPPED.broken(&transaction)?.is_empty());
        Ok(())
    }

    #[test]
    fn numbers_in_a_row_are_ranges() {
        assert_eq!(in_a_row(&[1, 2, 3, 7, 9, 10]), [(1, 3), (7, 7), (9, 10)]);
        assert!(in_a_row(&[]).is_empty());
    }
}
