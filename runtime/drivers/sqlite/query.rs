//! One statement that only looks.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};
use serde_json::Value;

use super::{explain, open};
use crate::failure::{Failure, FailureKind};

/// What a statement begins with that looks at this database and no other: `ATTACH` and `VACUUM INTO` reach files.
const LOOKS: [&str; 5] = ["select", "with", "values", "pragma", "explain"];

/// More rows are no answer to a question.
const MOST_ROWS: usize = 1_000;

/// How often it is looked whether the answer is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// The rows that a statement gives: it may change nothing, nor reach another file. It is given up after `within`, or when `wanted`
/// says why.
pub fn query(
    file: &Path,
    sql: &str,
    within: Duration,
    wanted: &(dyn Fn() -> Result<(), Failure> + Sync),
) -> Result<Vec<Vec<Value>>, Failure> {
    let failed = |error: &rusqlite::Error| explain("ask", file, error);
    let connection = open(file).map_err(|error| failed(&error))?;
    let handle = connection.get_interrupt_handle();
    let (over, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let watching = scope.spawn(move || {
            let began = Instant::now();
            loop {
                match ended.recv_timeout(LOOK) {
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    _ => return None,
                }
                let reason = if began.elapsed() < within {
                    wanted().err()
                } else {
                    let message = format!("`{}` did not answer within {} s", file.display(), within.as_secs_f32());
                    Some(Failure::new(FailureKind::Timeout, message).hint("the option `within` gives it longer"))
                };
                if let Some(reason) = reason {
                    handle.interrupt();
                    return Some(reason);
                }
            }
        });
        let asked = ask(&connection, sql);
        drop(over);
        let reason = watching.join().ok().flatten();
        match asked {
            Ok(rows) => rows,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Err(reason.unwrap_or_else(|| failed(&error)))
            }
            Err(error) => Err(failed(&error)),
        }
    })
}

fn ask(connection: &Connection, sql: &str) -> rusqlite::Result<Result<Vec<Vec<Value>>, Failure>> {
    let refused = || {
        let message = "argument `sql` is no statement that only looks";
        Ok(Err(Failure::new(FailureKind::Argument, message).hint("write one `SELECT`, or a `PRAGMA` that only tells")))
    };
    let word =
        sql.split(|letter: char| !letter.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    let begins = sql.trim_start().to_ascii_lowercase().starts_with(&word.to_ascii_lowercase());
    if !begins || !LOOKS.contains(&word.to_ascii_lowercase().as_str()) {
        return refused();
    }
    let mut statement = connection.prepare(sql)?;
    if !statement.readonly() {
        return refused();
    }
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if found.len() == MOST_ROWS {
            let message = format!("it answers with more than {MOST_ROWS} rows");
            return Ok(Err(Failure::new(FailureKind::Invalid, message).hint("count in SQL, or say `LIMIT`")));
        }
        found.push((0..columns).map(|column| row.get_ref(column).map(value)).collect::<rusqlite::Result<_>>()?);
    }
    Ok(Ok(found))
}

/// As a script has it; bytes as hexadecimal digits.
fn value(found: ValueRef<'_>) -> Value {
    match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => {
            bytes.iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str()).into()
        }
    }
}
