//! SQLite databases of applications: copies of them that are whole, and what is in them. The run log's own file is none of these.

mod query;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::failure::{Failure, FailureKind};

pub use query::query;

/// How long somebody may keep the database locked.
const PATIENCE: Duration = Duration::from_secs(30);

/// What SQLite keeps beside a database: its content is a part of that, and of no other.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Copies a database as it is at one moment, whoever writes to it meanwhile; `to` must not be there.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error: &rusqlite::Error| explain("copy", from, error);
    let source = open(from).map_err(|error| failed(&error))?;
    let mut target = Connection::open(to).map_err(|error| failed(&error))?;
    let copying = Backup::new(&source, &mut target).map_err(|error| failed(&error))?;
    let began = Instant::now();
    loop {
        // All of it in one go: in pieces, it would begin anew whenever somebody writes.
        match copying.step(-1).map_err(|error| failed(&error))? {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked if began.elapsed() > PATIENCE => {
                let message =
                    format!("the database `{}` was locked for {} seconds", from.display(), PATIENCE.as_secs());
                return Err(Failure::new(FailureKind::Conflict, message));
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The tables of a database with their numbers of rows; fails when anything in it does not fit together.
pub fn inspect(file: &Path) -> Result<BTreeMap<String, u64>, Failure> {
    let failed = |error: &rusqlite::Error| explain("read", file, error);
    let connection = open(file).map_err(|error| failed(&error))?;
    let texts = |sql: &str| -> rusqlite::Result<Vec<String>> {
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    let found = texts("PRAGMA integrity_check(5)").map_err(|error| failed(&error))?;
    if found != ["ok"] {
        let message = format!("the database `{}` is damaged: {}", file.display(), found.join("; "));
        return Err(Failure::new(FailureKind::Invalid, message));
    }
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name";
    let mut rows = BTreeMap::new();
    for table in texts(tables).map_err(|error| failed(&error))? {
        let count = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
        let count: i64 = connection.query_row(&count, [], |row| row.get(0)).map_err(|error| failed(&error))?;
        rows.insert(table, u64::try_from(count).unwrap_or_default());
    }
    Ok(rows)
}

/// Removes what belongs to the database that was at this path before, and would be taken for a part of the next one.
pub fn forget_journals(file: &Path) -> Result<(), Failure> {
    for path in beside(file) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::system(format!("remove `{}`", path.display()), &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Is there anything beside the database that may be a part of it?
pub fn has_journal(file: &Path) -> bool {
    beside(file).any(|path| path.exists())
}

/// What may be beside a database.
pub fn beside(file: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let name = file.as_os_str().to_owned();
    BESIDE.iter().map(move |suffix| {
        let mut name = name.clone();
        name.push(suffix);
        name.into()
    })
}

/// To look at; what is in its write-ahead log belongs to it.
fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn explain(what: &str, file: &Path, error: &rusqlite::Error) -> Failure {
    use rusqlite::ErrorCode;
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => FailureKind::Invalid,
        Some(ErrorCode::CannotOpen) if !file.exists() => FailureKind::NotFound,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => FailureKind::Conflict,
        _ => FailureKind::System,
    };
    let said = match error {
        rusqlite::Error::SqliteFailure(_, Some(said)) => said.clone(),
        other => other.to_string(),
    };
    Failure::new(kind, format!("cannot {what} the database `{}`: {said}", file.display()))
}
