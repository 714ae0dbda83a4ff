//! What the command line took away from a run stays away, wherever the run died and whoever goes on with it.

use super::plan::has_strace;
use super::shipped::boundaries;
use crate::harness::{Project, Ran};

#[test]
fn what_was_taken_away_stays_away() {
    if !has_strace() {
        return;
    }
    let words = ["run", "test.rhai", "--deny", "write out/secret"];
    let project = || {
        Project::script("file(\"out/open\").write(\"one\");\nlet name = file(\"name\").read();\ntry { file(name).write(\"two\"); } catch {}\n")
            .file("name", "out/secret")
            .file("out/.keep", "")
    };
    let all = boundaries::of(&project().command(&words), "journal.sqlite-wal", usize::MAX);
    let mut hits = 0;
    for point in &all {
        let project = project();
        let log = project.path().join(".runbook/journal.sqlite-wal");
        let killed = Ran::from(point.kill(log).around(&project.command(&words)).output().unwrap());
        hits += usize::from(killed.code != 1);
        project.runbook(&["resume", "1"]);
        assert!(!project.path().join("out/secret").exists(), "after {} {}", point.syscall, point.when);
    }
    assert!(hits * 2 > all.len(), "only {hits} of {} hit", all.len());
}
