use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use runbook::failure::FailureKind;
use runbook::journal::{Journal, LogQuery, RunFilter, RunState};
use runbook::primitive::{Effect, LogStream};
use serde_json::json;

use super::chain::eventful;
use super::{done, ended, line, new_run, record, started};

#[test]
fn a_copy_made_while_runs_go_on_is_whole_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let journal = Journal::open(&state).unwrap();
    eventful(&journal);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let writer = Journal::open(&state).unwrap();
            while !stop.load(Ordering::Relaxed) {
                let run = writer.begin(&new_run()).unwrap();
                record(&writer, run, &[started("1", "sh", "sh true", Effect::Change), done("1", json!(1), 1)]);
                record(&writer, run, &[line("1", LogStream::Stdout, "output"), ended(run, RunState::Ok, None)]);
            }
        });
        for number in 0..3 {
            let to = folder.path().join(format!("copy-{number}"));
            let copied = journal.copy_to(&to).unwrap();
            assert!(copied.verdict.is_whole(), "{:#?}", copied.verdict.problems);
            assert_eq!(copied.files.len(), 2, "{:?}", copied.files);
            assert!(copied.files.iter().all(|(_, bytes)| *bytes > 4_096));
            let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&to), mode(&to.join("journal.sqlite"))), (0o700, 0o600));
            let copy = Journal::open(&to).unwrap();
            for run in copy.runs(&RunFilter { states: vec![RunState::Ok], ..RunFilter::default() }).unwrap() {
                let lines = copy.logs(&LogQuery { run: Some(run.id), ..LogQuery::default() }).unwrap();
                assert_eq!(lines.len(), 1, "a run that has ended in the copy has all its lines there");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn runs_of_a_copy_are_not_gone_on_with_until_it_takes_the_originals_place() {
    let folder = tempfile::tempdir().unwrap();
    let (state, to) = (folder.path().join("state"), folder.path().join("copy"));
    let journal = Journal::open(&state).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    journal.copy_to(&to).unwrap();
    let copy = Journal::open(&to).unwrap();
    let connection = rusqlite::Connection::open(to.join("journal.sqlite")).unwrap();
    connection.execute("UPDATE run SET process_started = 1", []).unwrap();
    assert_eq!(copy.settle().unwrap(), [0i64; 0], "the run may be alive where the original is");
    let failure = copy.take_up(run, "bob@desk").unwrap_err();
    assert!(failure.message.contains("is a copy of a run log"), "{failure}");
    let failure = copy.begin(&new_run()).unwrap_err();
    assert!(failure.message.contains("is a copy of a run log"), "{failure}");
    drop(journal);
    std::fs::remove_file(to.join("COPY")).unwrap();
    copy.take_up(run, "bob@desk").unwrap();
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("state")).unwrap();
    let failure = journal.copy_to(folder.path()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(failure.message, format!("`{}` is not empty", folder.path().display()));
    assert!(!folder.path().join("journal.sqlite").exists());
}
