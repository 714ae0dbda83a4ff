//! The files' formats, and how an older file becomes a present one: numbered migrations, one transaction each.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::fault;
use crate::failure::{Failure, FailureKind};

/// How long a statement waits for another process before it gives up.
const BUSY: Duration = Duration::from_secs(10);

/// A write-ahead log below this is left to the next one who opens the file: reading it takes them less than a
/// millisecond, folding it into the file at the end of each run would cost several.
const LEFT_BEHIND: u64 = 512 * 1024;

/// One kind of database file.
pub(super) struct Format {
    /// What completes the sentence "cannot …".
    opening: &'static str,
    /// The file's format after each of these is its index plus one.
    migrations: &'static [&'static str],
    /// Does the file note which runbook migrated it?
    signed: bool,
}

/// `journal.sqlite`: runs, calls, releases, locks.
pub(super) const JOURNAL: Format =
    Format { opening: "open the run log", migrations: &[include_str!("schema/journal-1.sql")], signed: true };

/// `logs-2026-11.sqlite`: the log lines of a month.
pub(super) const LOGS: Format =
    Format { opening: "open the log lines", migrations: &[include_str!("schema/logs-1.sql")], signed: false };

impl Format {
    /// Opens `file` for writing; creates it, or brings it up to date, when need be.
    ///
    /// A file that is up to date costs one read of its header: nothing else happens, so starting a run stays cheap.
    pub(super) fn open(&self, file: &Path) -> Result<Connection, Failure> {
        let explain = |error| fault::explain(file, self.opening, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(file, flags).map_err(explain)?;
        connection.busy_timeout(BUSY).map_err(explain)?;
        let found = version(&connection).map_err(explain)?;
        if found > self.newest() {
            return Err(fault::newer(file, written_by(&connection).as_deref(), found, self.newest()));
        }
        if found < self.newest() {
            self.migrate(&mut connection, file)?;
        }
        connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;").map_err(explain)?;
        let log_size = std::fs::metadata(beside(file, "-wal")).map_or(0, |data| data.len());
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, log_size < LEFT_BEHIND)
            .map_err(explain)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    /// Opens `file` to look only; it must exist.
    pub(super) fn open_to_read(&self, file: &Path) -> Result<Connection, Failure> {
        let explain = |error| fault::explain(file, self.opening, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags).map_err(explain)?;
        connection.busy_timeout(BUSY).map_err(explain)?;
        let found = version(&connection).map_err(explain)?;
        if found > self.newest() {
            return Err(fault::newer(file, None, found, self.newest()));
        }
        Ok(connection)
    }

    fn newest(&self) -> i64 {
        i64::try_from(self.migrations.len()).unwrap_or(i64::MAX)
    }

    fn migrate(&self, connection: &mut Connection, file: &Path) -> Result<(), Failure> {
        let explain = |error| fault::explain(file, self.opening, &error);
        if version(connection).map_err(explain)? == 0 && !is_blank(connection).map_err(explain)? {
            return Err(Failure::new(FailureKind::Invalid, format!("`{}` is not a run log", file.display()))
                .hint("move that file away to begin a new one"));
        }
        // Nothing in a new file is worth more than one wait for the disk, and that comes at the end.
        let is_new = version(connection).map_err(explain)? == 0;
        if is_new {
            connection.execute_batch("PRAGMA synchronous = OFF").map_err(explain)?;
            write_ahead(connection).map_err(explain)?;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
        // Another process may have been faster: only the version inside the transaction counts.
        let present = version(&transaction).map_err(explain)?;
        for (number, migration) in (1..).zip(self.migrations).filter(|(number, _)| *number > present) {
            transaction.execute_batch(migration).map_err(explain)?;
            transaction.pragma_update(None, "user_version", number).map_err(explain)?;
            if self.signed {
                transaction
                    .execute(
                        "INSERT INTO format (version, runbook, at) VALUES (?1, ?2, ?3)",
                        (number, env!("CARGO_PKG_VERSION"), Timestamp::now().as_microsecond()),
                    )
                    .map_err(explain)?;
            }
        }
        transaction.commit().map_err(explain)?;
        if is_new {
            // A power cut that leaves an empty file beside a write-ahead log makes SQLite throw that log away. (Never
            // open the file to sync it by hand: closing it again would drop this process's SQLite locks on it.)
            connection
                .execute_batch("PRAGMA synchronous = NORMAL; PRAGMA wal_checkpoint(TRUNCATE);")
                .map_err(explain)?;
        }
        Ok(())
    }
}

/// The name of a file that SQLite keeps beside the database.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn written_by(connection: &Connection) -> Option<String> {
    connection.query_row("SELECT runbook FROM format ORDER BY version DESC LIMIT 1", [], |row| row.get(0)).ok()
}

/// Is the file new, or being created by another process at this moment? A foreign database has tables of its own.
fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    // One statement, so that version and tables are seen at the same moment.
    connection.query_row(
        "SELECT (SELECT user_version FROM pragma_user_version) > 0 OR NOT EXISTS (SELECT 1 FROM sqlite_schema)",
        [],
        |row| row.get(0),
    )
}

/// Switches to write-ahead logging. Several processes that create the file together can refuse each other this
/// without asking the busy handler, so it is tried again until the usual time is over.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && started.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}
