//! The files' formats, and how an older file becomes a present one: numbered migrations, one transaction each.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::table::FORMAT;
use super::{adoption, fault};
use crate::failure::{Failure, FailureKind};

/// How long a statement waits for another process before it gives up.
const BUSY: Duration = Duration::from_secs(10);

/// A write-ahead log below this is left to the next one who opens the file: reading it takes them less than a
/// millisecond, folding it into the file at the end of each run would cost several.
const LEFT_BEHIND: u64 = 512 * 1024;

/// A write-ahead log of so many pages is folded into the file by whoever commits next, which takes two more waits for the
/// disk: so many pages are some 250 changes.
const FOLDED: i64 = 2_000;

/// One kind of database file.
pub(super) struct Format {
    /// What completes the sentence "cannot …".
    opening: &'static str,
    /// The file's format after each of these is its index plus one.
    migrations: &'static [&'static str],
    /// Does the file note which runbook migrated it, and seal what it holds?
    signed: bool,
}

/// `journal.sqlite`: runs, calls, releases, locks.
pub(super) const JOURNAL: Format = Format {
    opening: "open the run log",
    migrations: &[
        include_str!("schema/journal-1.sql"),
        include_str!("schema/journal-2.sql"),
        include_str!("schema/journal-3.sql"),
        include_str!("schema/journal-4.sql"),
        include_str!("schema/journal-5.sql"),
        include_str!("schema/journal-6.sql"),
        include_str!("schema/journal-7.sql"),
        include_str!("schema/journal-8.sql"),
        include_str!("schema/journal-9.sql"),
    ],
    signed: true,
};

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
        connection.busy_handler(Some(patience())).map_err(explain)?;
        let found = version(&connection).map_err(explain)?;
        if found > self.newest() {
            return Err(fault::newer(file, written_by(&connection).as_deref(), found, self.newest()));
        }
        if found < self.newest() {
            self.migrate(&mut connection, file)?;
        }
        connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;").map_err(explain)?;
        connection.pragma_update(None, "wal_autocheckpoint", FOLDED).map_err(explain)?;
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, log_size(file) < LEFT_BEHIND)
            .map_err(explain)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    /// Opens `file` to look only; it must exist. It may be empty: whoever was about to make it died.
    pub(super) fn open_to_read(&self, file: &Path) -> Result<Connection, Failure> {
        let explain = |error| fault::explain(file, self.opening, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(file, flags).map_err(explain)?;
        connection.busy_handler(Some(patience())).map_err(explain)?;
        let found = match version(&connection) {
            // Its maker died over it, and only one who may write can take back what is half there.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
                take_back(file).and_then(|()| version(&connection))
            }
            found => found,
        };
        let found = found.map_err(explain)?;
        if found > self.newest() {
            return Err(fault::newer(file, None, found, self.newest()));
        }
        Ok(connection)
    }

    /// The same, but `None` when nothing is in it yet: it is being made at this moment, or its maker died over it, and
    /// whoever writes next makes it whole.
    pub(super) fn open_filled(&self, file: &Path) -> Result<Option<Connection>, Failure> {
        let connection = self.open_to_read(file)?;
        let found = version(&connection).map_err(|error| fault::explain(file, self.opening, &error))?;
        Ok((found > 0).then_some(connection))
    }

    /// A new one in memory: the tables, and nothing in them.
    pub(super) fn in_memory(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_in_memory()?;
        self.migrations.iter().try_for_each(|migration| connection.execute_batch(migration))?;
        // Rows of one run alone may name others.
        connection.execute_batch("PRAGMA foreign_keys = OFF")?;
        connection.set_prepared_statement_cache_capacity(64);
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
        if self.signed {
            for number in 1..=self.newest() {
                FORMAT.seal(&transaction, &number).map_err(explain)?;
            }
            adoption::adopt_all(&transaction).map_err(explain)?;
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

/// Folds a long write-ahead log into the file as far as nobody needs it. Whoever uses it now, or a full disk, only puts that off.
pub(super) fn fold(connection: &Connection, file: &Path) {
    if log_size(file) >= LEFT_BEHIND {
        let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}

fn log_size(file: &Path) -> u64 {
    std::fs::metadata(beside(file, "-wal")).map_or(0, |data| data.len())
}

/// How a statement waits for another process: whether to try again is asked after each try.
///
/// A transaction takes less than a millisecond. SQLite's own way of waiting doubles its steps up to a tenth of a second, and of many
/// runs that begin at the same second the last would begin long after its turn.
fn patience() -> impl FnMut(i32) -> bool + Send + 'static {
    let mut began = Instant::now();
    move |tries| {
        if tries == 0 {
            began = Instant::now();
        }
        // Whoever keeps it longer than usual is asked less often.
        std::thread::sleep(Duration::from_micros(500) * u32::try_from(1 + tries / 50).unwrap_or(1).min(50));
        began.elapsed() < BUSY
    }
}

/// Lets SQLite take back a transaction whose process died in the middle of it.
fn take_back(file: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags)?;
    connection.busy_handler(Some(patience()))?;
    version(&connection).map(drop)
}

/// Opens a database of any of these formats to look only; it must exist.
pub(super) fn open_any(file: &Path) -> Result<Connection, Failure> {
    let is_journal = file.file_name().is_some_and(|name| name == super::FILE);
    if is_journal { JOURNAL.open_to_read(file) } else { LOGS.open_to_read(file) }
}

/// Every table and index by name, with what it is, what it belongs to, and the statement that made it.
pub(super) fn statements(connection: &Connection) -> rusqlite::Result<Vec<(String, Option<String>)>> {
    connection
        .prepare("SELECT name, type || ' ' || tbl_name || ' ' || ifnull(sql, '') FROM sqlite_schema ORDER BY name")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The name of a file that SQLite keeps beside the database.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Are there tables in it?
pub(super) fn is_made(connection: &Connection) -> rusqlite::Result<bool> {
    version(connection).map(|version| version > 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As a process leaves it that dies while it makes the file: with a rollback journal beside it.
    #[test]
    fn a_file_whose_maker_died_over_it_can_be_looked_at() {
        let (origin, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = origin.path().join("logs-2026-11.sqlite");
        let connection = Connection::open(&file).unwrap();
        connection
            .execute_batch("CREATE TABLE t (x); PRAGMA cache_size = 1; BEGIN; INSERT INTO t VALUES (zeroblob(500000));")
            .unwrap();
        for name in ["logs-2026-11.sqlite", "logs-2026-11.sqlite-journal"] {
            std::fs::copy(origin.path().join(name), left.path().join(name)).unwrap();
        }
        let file = left.path().join("logs-2026-11.sqlite");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let refused = version(&Connection::open_with_flags(&file, flags).unwrap()).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::ReadOnly), "the file is not as it was meant to be");
        assert!(LOGS.open_filled(&file).unwrap().is_none());
    }
}
