//! What the database's errors mean to a person, and what to do about each.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::{Error, ErrorCode};
use rustix::fs::Access;
use rustix::io::Errno;

use crate::failure::{Failure, FailureKind};

/// The failure for an error of the database file `file`; `what` completes the sentence "cannot …".
pub(super) fn explain(file: &Path, what: &str, error: &Error) -> Failure {
    let shown = file.display();
    let failure = |kind, reason: &str| Failure::new(kind, format!("cannot {what}: {reason}"));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            failure(FailureKind::Conflict, &format!("another process has kept `{shown}` locked for 10s"))
                .hint(format!("`fuser -v {shown}` names the processes that have it open"))
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            unwritable(file, failure(FailureKind::System, &format!("`{shown}` may not be written")))
        }
        Some(ErrorCode::DatabaseCorrupt) => failure(FailureKind::Invalid, &format!("`{shown}` is damaged"))
            .hint(format!("`sqlite3 {shown} .recover | sqlite3 recovered.sqlite` saves what can be read"))
            .hint("move the damaged file away to begin a new one"),
        Some(ErrorCode::NotADatabase) => failure(FailureKind::Invalid, &format!("`{shown}` is not a run log"))
            .hint("move that file away to begin a new one"),
        Some(ErrorCode::CannotOpen) => {
            unwritable(file, failure(FailureKind::System, &format!("`{shown}` cannot be opened")))
        }
        Some(ErrorCode::DiskFull) => failure(FailureKind::System, &format!("no space left for `{shown}`"))
            .hint("free some space, or set RUNBOOK_STATE to a folder on another disk"),
        Some(ErrorCode::SystemIoFailure) => {
            failure(FailureKind::System, &format!("the disk under `{shown}` answered with an error"))
                .evidence("answer", error.to_string())
        }
        _ => failure(FailureKind::System, &format!("`{shown}`: {error}")),
    }
}

/// Adds what keeps this user from writing the file, and what to do about that: the database tells neither.
fn unwritable(file: &Path, mut failure: Failure) -> Failure {
    let places = [Some(file), file.parent()];
    let kept = places.into_iter().flatten().find_map(|place| {
        let error = rustix::fs::access(place, Access::WRITE_OK).err()?;
        matches!(error, Errno::ROFS | Errno::ACCESS).then_some((place, error))
    });
    let own =
        |place: &Path| place.metadata().is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw());
    match kept {
        Some((place, Errno::ROFS)) => {
            failure.message.push_str(": its file system is read-only");
            failure
                .hint(format!("`findmnt --target {}` shows how it is mounted", place.display()))
                .hint("make it writable again, or copy the state folder to another one and set RUNBOOK_STATE to that")
        }
        Some((place, _)) if own(place) => failure
            .hint(format!("`chmod u+rwX {}` lets you write it again", place.display()))
            .hint("or set RUNBOOK_STATE to a folder you can write to"),
        _ => {
            failure.hint("run as the user who owns the state folder, or set RUNBOOK_STATE to a folder you can write to")
        }
    }
}

/// The failure for a file of a newer format than this program knows.
pub(super) fn newer(file: &Path, written_by: Option<&str>, found: i64, known: i64) -> Failure {
    let writer = written_by.map_or_else(|| "a newer runbook".to_owned(), |version| format!("runbook {version}"));
    Failure::new(
        FailureKind::Invalid,
        format!(
            "`{}` was written by {writer} (format {found}); this is runbook {} (format {known})",
            file.display(),
            env!("CARGO_PKG_VERSION"),
        ),
    )
    .hint("install that version of runbook or a newer one")
    .hint("or set RUNBOOK_STATE to another folder to keep a separate run log")
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn each_trouble_says_what_to_do() {
        let explained = |code| {
            let failure = explain(
                Path::new("/s/journal.sqlite"),
                "begin the run",
                &Error::SqliteFailure(ffi::Error::new(code), None),
            );
            (failure.message, failure.hints.into_iter().next().unwrap_or_default())
        };
        let cases = [
            (
                ffi::SQLITE_BUSY,
                "cannot begin the run: another process has kept `/s/journal.sqlite` locked for 10s",
                "`fuser -v /s/journal.sqlite` names the processes that have it open",
            ),
            (
                ffi::SQLITE_FULL,
                "cannot begin the run: no space left for `/s/journal.sqlite`",
                "free some space, or set RUNBOOK_STATE to a folder on another disk",
            ),
            (
                ffi::SQLITE_READONLY,
                "cannot begin the run: `/s/journal.sqlite` may not be written",
                "run as the user who owns the state folder, or set RUNBOOK_STATE to a folder you can write to",
            ),
            (
                ffi::SQLITE_CORRUPT,
                "cannot begin the run: `/s/journal.sqlite` is damaged",
                "`sqlite3 /s/journal.sqlite .recover | sqlite3 recovered.sqlite` saves what can be read",
            ),
        ];
        for (code, message, hint) in cases {
            assert_eq!(explained(code), (message.to_owned(), hint.to_owned()));
        }
    }
}
