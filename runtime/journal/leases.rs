//! Locks between runs: who holds one, and since when. A lock is never taken from a living holder, however silent.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::Moment;
use super::owner::{self, Process};
use super::table::LEASE;
use super::{Journal, store};
use crate::failure::{Failure, FailureKind};
use crate::primitive::{Lease, LeaseRequest};

impl Journal {
    /// Tries once to take a lock, without waiting: `Ok` is mine, `Err` is the present holder's.
    ///
    /// A holder whose process is gone is replaced, and the fence grows with every new holder. A run that already holds
    /// the lock gets the lease it has. `owner` is `user@machine`, `step` is where the run is now.
    pub fn acquire(
        &self,
        run: i64,
        owner: &str,
        request: &LeaseRequest,
        step: &str,
    ) -> Result<Result<Lease, Lease>, Failure> {
        self.write("take the lock", |writer| {
            let transaction = writer.transaction()?;
            if let Some(holder) = holder(&transaction, &request.name)? {
                if holder.run == run {
                    return Ok(Ok(holder));
                }
                if self.holds_on(&transaction, &holder)? {
                    return Ok(Err(holder));
                }
            }
            let since = Moment(Timestamp::now());
            let fence: i64 = transaction.query_row(
                "INSERT INTO lease (name, run, owner, step, since, renewed_at, fence) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1)
                 ON CONFLICT (name) DO UPDATE SET run = excluded.run, owner = excluded.owner, step = excluded.step,
                     since = excluded.since, renewed_at = excluded.renewed_at, fence = fence + 1
                 RETURNING fence",
                params![request.name, run, owner, step, since],
                |row| row.get(0),
            )?;
            LEASE.seal(&transaction, &request.name)?;
            transaction.commit()?;
            let (name, owner, step) = (request.name.clone(), owner.to_owned(), step.to_owned());
            Ok(Ok(Lease { name, run, owner, step, since: since.0, fence }))
        })
    }

    /// Says in which step the holder is now. Fails when the lock is no longer the holder's.
    pub fn renew(&self, lease: &Lease, step: &str) -> Result<(), Failure> {
        let renewed = self.write("renew the lock", |writer| {
            let transaction = writer.transaction()?;
            let renewed = transaction
                .prepare_cached(
                    "UPDATE lease SET step = ?4, renewed_at = ?5 WHERE name = ?1 AND run = ?2 AND fence = ?3",
                )?
                .execute(params![lease.name, lease.run, lease.fence, step, Moment(Timestamp::now())])?;
            LEASE.seal(&transaction, &lease.name)?;
            transaction.commit()?;
            Ok(renewed)
        })?;
        if renewed == 1 {
            return Ok(());
        }
        Err(Failure::new(FailureKind::Conflict, format!("run {} no longer holds the lock `{}`", lease.run, lease.name)))
    }

    /// Gives a lock back; one that was lost or given back before is left alone.
    pub fn release_lease(&self, lease: &Lease) -> Result<(), Failure> {
        self.write("give the lock back", |writer| {
            let transaction = writer.transaction()?;
            transaction
                .prepare_cached("UPDATE lease SET run = NULL WHERE name = ?1 AND run = ?2 AND fence = ?3")?
                .execute(params![lease.name, lease.run, lease.fence])?;
            LEASE.seal(&transaction, &lease.name)?;
            transaction.commit()
        })
    }

    /// Every lock that is held, by name.
    pub fn leases(&self) -> Result<Vec<Lease>, Failure> {
        self.read("read the locks", |connection| {
            connection
                .prepare_cached(
                    "SELECT name, run, owner, step, since, fence FROM lease WHERE run IS NOT NULL ORDER BY name",
                )?
                .query_map([], from_row)?
                .collect()
        })
    }

    /// Is the holder's run still going on, with a living process, or waiting for a person?
    fn holds_on(&self, connection: &Connection, holder: &Lease) -> rusqlite::Result<bool> {
        if store::is_parked(connection, holder.run)? {
            return Ok(true);
        }
        let owner = store::running_owner(connection, holder.run)?;
        Ok(owner.is_some_and(|process: Process| owner::is_alive(self.state_folder(), holder.run, &process)))
    }
}

/// Frees whatever a run holds.
pub(super) fn free_all(connection: &Connection, run: i64) -> rusqlite::Result<()> {
    let freed: Vec<String> = connection
        .prepare_cached("UPDATE lease SET run = NULL WHERE run = ?1 RETURNING name")?
        .query_map([run], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    freed.iter().try_for_each(|name| LEASE.seal(connection, name))
}

fn holder(connection: &Connection, name: &str) -> rusqlite::Result<Option<Lease>> {
    connection
        .prepare_cached("SELECT name, run, owner, step, since, fence FROM lease WHERE name = ?1 AND run IS NOT NULL")?
        .query_row([name], from_row)
        .optional()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Lease> {
    Ok(Lease {
        name: row.get("name")?,
        run: row.get("run")?,
        owner: row.get("owner")?,
        step: row.get("step")?,
        since: row.get::<_, Moment>("since")?.0,
        fence: row.get("fence")?,
    })
}
