//! One bit of the file flips, by a tired disk or a memory cell: whoever verifies the run log hears of it.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use runbook::journal::{Journal, RunState};
use runbook::primitive::Effect;
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::json;

use super::chain::eventful;
use super::{done, ended, new_run, record, started};

/// How many bits are flipped; `RUNBOOK_FLIPS` sets another number.
const FLIPS: usize = 1_000;

/// What can be read from a file: every row of every table, and what the tables are.
fn everything(file: &Path) -> rusqlite::Result<Vec<Vec<Value>>> {
    let connection = Connection::open(file)?;
    let rows = |sql: &str| -> rusqlite::Result<Vec<Vec<Value>>> {
        let mut statement = connection.prepare(sql)?;
        let columns = statement.column_count();
        statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?.collect()
    };
    let mut all = rows("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name")?;
    for table in ["entry", "run", "source", "text", "call", "release", "lease", "format", "sqlite_sequence"] {
        all.extend(rows(&format!("SELECT * FROM {table}"))?);
    }
    Ok(all)
}

/// A run log of ordinary size, all of it in one file.
fn fill(folder: &Path) -> Vec<u8> {
    let journal = Journal::open(folder).unwrap();
    for number in 0..12 {
        eventful(&journal);
        let run = journal.begin(&new_run()).unwrap();
        for call in 1..=12 {
            let path = call.to_string();
            let output = format!("line of output {call}\n").repeat(call * 7);
            record(&journal, run, &[started(&path, "sh", &format!("sh make {number}"), Effect::Change)]);
            record(&journal, run, &[done(&path, json!({ "code": 0, "stdout": output }), 3)]);
        }
        record(&journal, run, &[ended(run, RunState::Ok, None)]);
    }
    drop(journal);
    let file = folder.join("journal.sqlite");
    let connection = Connection::open(&file).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    std::fs::read(file).unwrap()
}

/// Numbers that look random and are the same every time.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed), |last| {
        let mut next = *last;
        next ^= next << 13;
        next ^= next >> 7;
        next ^= next << 17;
        Some(next)
    })
    .skip(1)
}

/// A state folder whose newest commits are in the write-ahead log, as they are when the last process ends.
fn fill_log(folder: &Path) {
    let journal = Journal::open(folder).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    for call in 1..=10 {
        let path = call.to_string();
        record(&journal, run, &[started(&path, "sh", "sh true", Effect::Change), done(&path, json!(call), 3)]);
    }
}

#[test]
fn a_flipped_bit_in_the_write_ahead_log_never_loses_what_was_recorded_unnoticed() {
    let origin = tempfile::tempdir().unwrap();
    fill_log(origin.path());
    let log = std::fs::read(origin.path().join("journal.sqlite-wal")).unwrap();
    assert!(log.len() > 100_000, "{}", log.len());
    let (mut noticed, flips) = (0, 100);
    for place in numbers(7).take(flips) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["journal.sqlite", "journal.sqlite-wal", "head"] {
            std::fs::copy(origin.path().join(name), folder.path().join(name)).unwrap();
        }
        let bit = usize::try_from(place).unwrap() % (log.len() * 8);
        std::fs::write(folder.path().join("journal.sqlite-wal"), flipped(&log, bit)).unwrap();
        match Journal::open(folder.path()) {
            Err(failure) => {
                assert!(failure.message.contains("has lost what was recorded last, up to entry 21"), "{failure}");
                noticed += 1;
            }
            Ok(journal) => assert_eq!(journal.calls(1).unwrap().len(), 10, "bit {bit}"),
        }
    }
    eprintln!("{flips} flips in {} bytes of a write-ahead log: {noticed} noticed", log.len());
    assert!(noticed * 10 > flips * 9, "{noticed}");
}

/// A copy holds the hash of all its bytes, those that hold nothing included.
#[test]
fn every_flipped_bit_of_a_copy_is_noticed() {
    let origin = tempfile::tempdir().unwrap();
    fill(origin.path());
    let copy = origin.path().join("copy");
    assert!(Journal::open(origin.path()).unwrap().copy_to(&copy).unwrap().verdict.is_whole());
    let bytes = std::fs::read(copy.join("journal.sqlite")).unwrap();
    let make = |folder: &Path, flipped: &[u8]| {
        std::fs::copy(copy.join("COPY"), folder.join("COPY")).unwrap();
        std::fs::write(folder.join("journal.sqlite"), flipped).unwrap();
    };
    let unnoticed = silent_flips(&bytes, &numbers(0xc0_91e5).take(wanted()).collect::<Vec<_>>(), make, is_noticed);
    assert_eq!(unnoticed, [0usize; 0], "of {} bytes", bytes.len());
}

fn wanted() -> usize {
    std::env::var("RUNBOOK_FLIPS").ok().and_then(|count| count.parse().ok()).unwrap_or(FLIPS)
}

/// Flips each of these bits in a state folder of its own, which `make` fills; those that nobody noticed.
fn silent_flips(
    bytes: &[u8],
    places: &[u64],
    make: impl Fn(&Path, &[u8]) + Sync,
    is_noticed: fn(&Path) -> bool,
) -> Vec<usize> {
    let silent = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for part in places.chunks(places.len().div_ceil(4)) {
            let (silent, make) = (&silent, &make);
            scope.spawn(move || {
                for place in part {
                    let folder = tempfile::tempdir().unwrap();
                    let bit = usize::try_from(*place).unwrap() % (bytes.len() * 8);
                    make(folder.path(), &flipped(bytes, bit));
                    if !is_noticed(folder.path()) {
                        silent.lock().unwrap().push(bit);
                    }
                }
            });
        }
    });
    silent.into_inner().unwrap()
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// By `runbook doctor`, which looks at the file and not at what it says.
fn is_seen(folder: &Path) -> bool {
    Journal::open(folder).and_then(|journal| journal.damage()).map_or(true, |damage| !damage.is_empty())
}

/// By `runbook state verify`.
fn is_noticed(folder: &Path) -> bool {
    Journal::open(folder).and_then(|journal| journal.verify_all()).map_or(true, |verdict| !verdict.is_whole())
}

/// A disk that forgets leaves the time at which the file was last written to as it was.
fn write_as_of(file: &Path, bytes: &[u8], written: SystemTime) {
    std::fs::write(file, bytes).unwrap();
    File::options().write(true).open(file).unwrap().set_modified(written).unwrap();
}

#[test]
fn every_flipped_bit_is_noticed() {
    let origin = tempfile::tempdir().unwrap();
    let bytes = fill(origin.path());
    let (file, long_ago) = (origin.path().join("journal.sqlite"), SystemTime::now() - Duration::from_secs(60));
    write_as_of(&file, &bytes, long_ago);
    // Whoever finds it whole notes what it comes to.
    assert!(!is_noticed(origin.path()));
    let places: Vec<u64> = numbers(0x5eed_1e55_0dd5_eedd).take(wanted()).collect();
    let make = |folder: &Path, flipped: &[u8]| {
        std::fs::copy(origin.path().join("bytes"), folder.join("bytes")).unwrap();
        write_as_of(&folder.join("journal.sqlite"), flipped, long_ago);
    };
    assert_eq!(silent_flips(&bytes, &places, make, is_seen), [0usize; 0], "of {} bytes", bytes.len());
    let few = &places[..places.len().min(50)];
    assert_eq!(silent_flips(&bytes, few, make, is_noticed), [0usize; 0], "of {} bytes", bytes.len());
}

/// As a run leaves it, however short that was.
#[test]
fn every_flipped_bit_of_a_file_that_was_only_just_written_to_is_noticed() {
    let origin = tempfile::tempdir().unwrap();
    fill(origin.path());
    let file = origin.path().join("journal.sqlite");
    Journal::open(origin.path()).unwrap().note_bytes().unwrap();
    let (bytes, written) = (std::fs::read(&file).unwrap(), file.metadata().unwrap().modified().unwrap());
    let places: Vec<u64> = numbers(0x5eed_1e55_0dd5_eedd).take(wanted()).collect();
    let make = |folder: &Path, flipped: &[u8]| {
        std::fs::copy(origin.path().join("bytes"), folder.join("bytes")).unwrap();
        write_as_of(&folder.join("journal.sqlite"), flipped, written);
    };
    assert_eq!(silent_flips(&bytes, &places, make, is_seen), [0usize; 0], "of {} bytes", bytes.len());
    assert!(!is_seen(origin.path()) && !is_noticed(origin.path()));
}

#[test]
fn a_file_that_is_written_to_at_once_after_its_bytes_were_noted_is_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let other = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let note = || std::fs::read_to_string(folder.path().join("bytes")).unwrap();
    let mut last = String::new();
    for _ in 0..200 {
        journal.begin(&new_run()).unwrap();
        other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        assert_eq!(journal.damage().unwrap(), [""; 0], "{last}");
        journal.note_bytes().unwrap();
        assert_ne!(note(), last, "it is noted each time");
        last = note();
        assert_eq!(journal.damage().unwrap(), [""; 0], "{last}");
    }
}

#[test]
fn a_file_that_somebody_wrote_to_since_is_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fill(folder.path());
    write_as_of(&folder.path().join("journal.sqlite"), &bytes, SystemTime::now() - Duration::from_secs(60));
    assert!(!is_noticed(folder.path()));
    let noted = std::fs::read_to_string(folder.path().join("bytes")).unwrap();
    // As `sqlite3` at a prompt would, and SQLite itself with what is in the write-ahead log.
    let connection = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    drop(connection);
    let file = folder.path().join("journal.sqlite");
    let written = std::fs::read(&file).unwrap();
    assert_ne!(written, bytes);
    assert!(!is_noticed(folder.path()));

    // Too new to be noted again, however long the machine took to get here.
    std::fs::write(folder.path().join("bytes"), &noted).unwrap();
    write_as_of(&file, &written, SystemTime::now() + Duration::from_secs(600));
    assert!(!is_noticed(folder.path()));
    assert_eq!(std::fs::read_to_string(folder.path().join("bytes")).unwrap(), noted);
    write_as_of(&file, &written, SystemTime::now() - Duration::from_secs(60));
    assert!(!is_noticed(folder.path()));
    assert_ne!(std::fs::read_to_string(folder.path().join("bytes")).unwrap(), noted, "nobody writes it any more");
}

/// What is known of a file that was written to since its bytes were noted: what it says.
#[test]
fn a_flipped_bit_of_a_file_whose_bytes_were_not_noted_changes_nothing_that_can_be_read_unnoticed() {
    let origin = tempfile::tempdir().unwrap();
    let bytes = fill(origin.path());
    let before = everything(&origin.path().join("journal.sqlite")).unwrap();
    assert!(!is_noticed(origin.path()));
    let places: Vec<u64> = numbers(0x5eed_1e55_0dd5_eedd).take(wanted()).collect();
    let make = |folder: &Path, flipped: &[u8]| std::fs::write(folder.join("journal.sqlite"), flipped).unwrap();
    let silent = silent_flips(&bytes, &places, make, is_noticed);
    let (flips, unused) = (places.len(), silent.len());
    eprintln!("{flips} flips in {} bytes: {} noticed, {unused} in unused bytes", bytes.len(), flips - unused);
    let harmful = silent.into_iter().filter(|bit| {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), &flipped(&bytes, *bit));
        everything(&folder.path().join("journal.sqlite")).ok().as_ref() != Some(&before)
    });
    let harmful: Vec<usize> = harmful.collect();
    assert_eq!(harmful, [0usize; 0], "bits that change what can be read, and nobody notices");
    // A small file is a third empty: every index begins with a page of its own.
    assert!(unused * 2 < flips, "{unused} of {flips} unnoticed");
}
