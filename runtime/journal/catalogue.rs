//! The catalogue of backups: what is known of snapshots, whoever asks.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use super::Journal;
use super::columns::{Json, Moment, Word};
use super::event::CallState;
use super::table::{READING, ROUND, SNAPSHOT};
use crate::failure::Failure;
use crate::primitive::{Catalogue, Catalogued, Drill, Proof, Reading};

/// Calls of `backup` that are looked through for the newest of a job.
const LOOKED_AT: i64 = 1_000;

impl Catalogue for Journal {
    fn snapshots(&self, repository: &str) -> Result<Vec<Catalogued>, Failure> {
        self.catalogued(repository)
    }

    fn note_snapshots(
        &self,
        repository: &str,
        new: &[Catalogued],
        there: &[&str],
        asked: Timestamp,
    ) -> Result<(), Failure> {
        self.change(|transaction| {
            for snapshot in new {
                insert(transaction, repository, snapshot)?;
            }
            let rows: Vec<(i64, String, bool)> = transaction
                .prepare_cached("SELECT id, name, gone FROM snapshot WHERE repository = ?1 AND noted <= ?2")?
                .query_map(params![repository, Moment(asked)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<rusqlite::Result<_>>()?;
            for (id, name, was_gone) in rows {
                let is_gone = !there.contains(&name.as_str());
                if is_gone != was_gone {
                    transaction.execute("UPDATE snapshot SET gone = ?2 WHERE id = ?1", params![id, is_gone])?;
                    SNAPSHOT.seal(transaction, &id)?;
                }
            }
            Ok(())
        })
    }

    fn note_proof(&self, repository: &str, ids: &[&str], proof: Proof) -> Result<(), Failure> {
        self.alter(repository, ids, |snapshot| {
            snapshot.proofs.retain(|known| known.how != proof.how);
            snapshot.proofs.push(proof);
        })
    }

    fn drop_proofs(&self, repository: &str, ids: &[&str]) -> Result<(), Failure> {
        self.alter(repository, ids, |snapshot| snapshot.proofs.clear())
    }

    fn note_copy(&self, repository: &str, id: &str, to: &str) -> Result<(), Failure> {
        self.alter(repository, &[id], |snapshot| {
            if !snapshot.copies.iter().any(|known| known == to) {
                snapshot.copies.push(to.to_owned());
            }
        })
    }

    fn drop_snapshots(&self, repository: &str, ids: &[&str]) -> Result<(), Failure> {
        self.change(|transaction| {
            for id in ids {
                transaction
                    .execute("DELETE FROM snapshot WHERE repository = ?1 AND name = ?2", params![repository, id])?;
            }
            Ok(())
        })
    }

    fn rebuild(&self, repository: &str, all: &[Catalogued]) -> Result<(), Failure> {
        let known = self.snapshots(repository)?;
        self.change(|transaction| {
            transaction.execute("DELETE FROM snapshot WHERE repository = ?1", [repository])?;
            for snapshot in all {
                let mut snapshot = snapshot.clone();
                if let Some(before) = known.iter().find(|row| row.id == snapshot.id) {
                    snapshot.proofs.clone_from(&before.proofs);
                    snapshot.copies.clone_from(&before.copies);
                }
                insert(transaction, repository, &snapshot)?;
            }
            Ok(())
        })
    }

    fn reading(&self, repository: &str) -> Result<Option<Reading>, Failure> {
        self.read("read the catalogue of backups", |connection| {
            connection
                .prepare_cached(
                    "SELECT part, at, began FROM reading LEFT JOIN reading_round USING (repository) WHERE repository = ?1",
                )?
                .query_row([repository], |row| {
                    let round = row.get::<_, Option<Moment>>(2)?.map(|began| began.0);
                    Ok(Reading { part: row.get(0)?, at: row.get::<_, Moment>(1)?.0, round })
                })
                .optional()
        })
    }

    fn note_reading(&self, repository: &str, reading: Reading) -> Result<(), Failure> {
        self.change(|transaction| {
            transaction.execute(
                "INSERT INTO reading (repository, part, at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (repository) DO UPDATE SET part = excluded.part, at = excluded.at",
                params![repository, reading.part, Moment(reading.at)],
            )?;
            READING.seal(transaction, &repository)?;
            transaction.execute("DELETE FROM reading_round WHERE repository = ?1", [repository])?;
            if let Some(began) = reading.round {
                let new = "INSERT INTO reading_round (repository, began) VALUES (?1, ?2)";
                transaction.execute(new, params![repository, Moment(began)])?;
            }
            ROUND.seal(transaction, &repository)
        })
    }

    fn failed_backup(&self, repository: &str, job: &str, own: bool) -> Result<Option<(i64, Timestamp)>, Failure> {
        // Of a run whose process is gone, it is known by then.
        self.settle()?;
        let calls: Vec<(i64, CallState, Value, Timestamp)> = self.read("read the calls of `backup`", |connection| {
            connection
                .prepare_cached(
                    "SELECT run, call.state, arguments, call.started_at FROM call JOIN run ON run.id = call.run
                     WHERE name = 'backup' AND NOT (call.state = 'started' AND run.state = 'running')
                     ORDER BY call.id DESC LIMIT ?1",
                )?
                .query_map([LOOKED_AT], |row| {
                    let (state, arguments) = (row.get::<_, Word<_>>(1)?.0, row.get::<_, Json<_>>(2)?.0);
                    Ok((row.get(0)?, state, arguments, row.get::<_, Moment>(3)?.0))
                })?
                .collect()
        })?;
        let is_meant = |arguments: &Value| {
            let says = |option: &str| arguments[option].as_str();
            says("to").is_none_or(|to| to == repository) && says("job").map_or(own, |named| named == job)
        };
        let newest = calls.into_iter().find(|(_, _, arguments, _)| is_meant(arguments));
        Ok(newest.filter(|(_, state, ..)| *state != CallState::Done).map(|(run, _, _, at)| (run, at)))
    }

    fn note_drill(&self, drill: &Drill) -> Result<(), Failure> {
        self.add_drill(drill)
    }

    fn drills(&self, repository: &str) -> Result<Vec<Drill>, Failure> {
        self.drilled(repository)
    }

    fn newest_moment(&self) -> Result<Option<Timestamp>, Failure> {
        self.read("read the newest moment", |connection| {
            connection
                .prepare_cached("SELECT max(max(started_at), ifnull(max(finished_at), 0)) FROM run")?
                .query_row([], |row| row.get::<_, Option<Moment>>(0))
                .map(|moment| moment.map(|moment| moment.0))
        })
    }
}

impl Journal {
    /// The snapshots of a repository, the oldest first, with those that are gone.
    pub fn catalogued(&self, repository: &str) -> Result<Vec<Catalogued>, Failure> {
        self.read("read the catalogue of backups", |connection| {
            connection
                .prepare_cached("SELECT * FROM snapshot WHERE repository = ?1 ORDER BY at, name")?
                .query_map([repository], from_row)?
                .collect()
        })
    }

    fn change(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<(), Failure> {
        self.write("write the catalogue of backups", |writer| {
            writer.set_durable(false)?;
            let transaction = writer.transaction()?;
            work(&transaction)?;
            transaction.commit()
        })
    }

    fn alter(&self, repository: &str, names: &[&str], change: impl Fn(&mut Catalogued)) -> Result<(), Failure> {
        self.change(|transaction| {
            for name in names {
                let row = transaction
                    .prepare_cached("SELECT * FROM snapshot WHERE repository = ?1 AND name = ?2")?
                    .query_row(params![repository, name], |row| Ok((row.get::<_, i64>("id")?, from_row(row)?)))
                    .optional()?;
                let Some((id, mut snapshot)) = row else { continue };
                change(&mut snapshot);
                transaction
                    .prepare_cached("UPDATE snapshot SET proofs = ?2, copies = ?3 WHERE id = ?1")?
                    .execute(params![id, Json(&snapshot.proofs), Json(&snapshot.copies)])?;
                SNAPSHOT.seal(transaction, &id)?;
            }
            Ok(())
        })
    }
}

fn insert(transaction: &Transaction<'_>, repository: &str, snapshot: &Catalogued) -> rusqlite::Result<()> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let added = transaction
        .prepare_cached(
            "INSERT INTO snapshot (repository, name, job, host, at, tags, files, bytes, added, milliseconds, parts, proofs,
                                   copies, noted)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            repository,
            snapshot.id,
            snapshot.job,
            snapshot.host,
            Moment(snapshot.at),
            Json(&snapshot.tags),
            number(snapshot.files),
            number(snapshot.bytes),
            number(snapshot.added),
            number(snapshot.milliseconds),
            Json(&snapshot.parts),
            Json(&snapshot.proofs),
            Json(&snapshot.copies),
            Moment(Timestamp::now()),
        ])?;
    if added == 1 {
        SNAPSHOT.seal(transaction, &transaction.last_insert_rowid())?;
    }
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Catalogued> {
    let count = |column: &str| -> rusqlite::Result<u64> {
        row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or_default())
    };
    Ok(Catalogued {
        id: row.get("name")?,
        job: row.get("job")?,
        host: row.get("host")?,
        at: row.get::<_, Moment>("at")?.0,
        tags: row.get::<_, Json<_>>("tags")?.0,
        files: count("files")?,
        bytes: count("bytes")?,
        added: count("added")?,
        milliseconds: count("milliseconds")?,
        parts: row.get::<_, Json<_>>("parts")?.0,
        proofs: row.get::<_, Json<_>>("proofs")?.0,
        copies: row.get::<_, Json<_>>("copies")?.0,
        gone: row.get("gone")?,
    })
}

/// Are all rows as they were sealed? Names those that are not.
pub(super) fn altered(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let snapshots = SNAPSHOT.broken(connection)?.into_iter().map(|id| format!("row {id} of the catalogue of backups"));
    let readings =
        READING.broken(connection)?.into_iter().map(|name| format!("how far the repository {name} was read"));
    let rounds = ROUND.broken(connection)?.into_iter().map(|name| format!("since when the repository {name} is read"));
    Ok(snapshots.chain(readings).chain(rounds).map(|what| format!("{what} was altered")).collect())
}
