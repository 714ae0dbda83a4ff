//! `runbook backup drill`: the drill of a job, and the history of drills.

use rusqlite::Connection;

use crate::harness::Project;

const DRILL: &str = "//! Drill.
//!
//! @param snapshot: string = \"latest\"
//! @param from: string = \"main\"
//! @needs read drills; write drills, store, offsite; secret P

import \"std/drill\" as drill;

drill::job(\"shop\", #{
    snapshot: param(\"snapshot\"), from: param(\"from\"),
    parts: #{
        \"app.db\": #{ checks: #{ \"users\": #{ sql: \"SELECT count(*) FROM users\", gives: 3 } } },
        uploads: #{ has: [\"a\"] },
    },
    verify: || info(\"looked at by the runbook\"),
});
";

fn site() -> Project {
    let project = Project::new()
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n\
             [backup.main]\npath = 'store'\npassword = 'P'\nmax_drill_age = '8d'\nrecovery_time = '15m'\n\
             [backup.main.job.shop]\ndrill = 'drill.rhai'\n\
             [backup.offsite]\npath = 'offsite'\npassword = 'P'\n[backup.offsite.job.shop]\ndrill = 'drill.rhai'\n",
        )
        .file(
            "save.rhai",
            "//! Save.\nbackup([\"uploads\", #{ sqlite: \"app.db\" }], #{ to: \"main\", job: \"shop\" });\n",
        )
        .file("drill.rhai", DRILL)
        .file("uploads/a", "a")
        .env("P", "correct horse");
    let open = Connection::open(project.path().join("app.db")).unwrap();
    open.execute_batch("CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (1), (2), (3);").unwrap();
    for name in ["main", "offsite"] {
        project.runbook(&["backup", "init", "--repository", name]).success();
    }
    project
}

fn drill(project: &Project, more: &[&str]) -> crate::harness::Ran {
    project.runbook(&[&["backup", "drill", "--repository", "main"], more].concat())
}

#[test]
fn the_drill_of_a_job_is_run_recorded_and_compared_with_its_budget() {
    let project = site();
    drill(&project, &["--history"]).success().prints("no drill was recorded of main");
    // Nothing to restore: that is a drill that failed, and is recorded as one.
    drill(&project, &[]).code(1).says("there is no snapshot of the job `shop`");
    project.runbook(&["run", "save.rhai"]).success();
    drill(&project, &[]).success().says("looked at by the runbook").says("remember it");
    let listed = drill(&project, &["--history"]).success();
    listed.prints("FAILED").prints("shop: 2 drills, 1 failed; recovery time");
    project.runbook(&["backup", "list", "--repository", "main"]).success().prints("drilled 20");
    let left: Vec<_> =
        std::fs::read_dir(project.path().join("drills")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 4, "only evidence is left: {left:?}");

    // One fewer user is noticed, by what the runbook asks only: the backup is whole.
    Connection::open(project.path().join("app.db")).unwrap().execute_batch("DELETE FROM users WHERE id = 2").unwrap();
    project.runbook(&["run", "save.rhai"]).success();
    drill(&project, &[]).code(1).says("the drill of shop failed: users: found 2");
    project
        .runbook(&["backup", "list", "--repository", "main"])
        .says("the last restore drill of shop failed: users: found 2");
    project.runbook(&["doctor"]).prints("runbook backup drill shop --repository main --history");
    // Of the first snapshot it was three.
    let first = project.runbook(&["backup", "list", "--repository", "main", "--json"]).success();
    let listed: serde_json::Value = serde_json::from_str(&first.stdout).unwrap();
    let first = listed["snapshots"][0]["id"].as_str().unwrap().to_owned();
    drill(&project, &["--snapshot", &first[..10]]).success();
    project.file_now("runbook.toml", &project.read("runbook.toml").replace("'15m'", "'1ms'"));
    project.runbook(&["backup", "list", "--repository", "main"]).says("took 1s, and 1ms are allowed");
    let history = drill(&project, &["shop", "--history", "--json"]).success();
    let history: serde_json::Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(history["trends"][0]["drills"], 4);
    let last = &history["drills"][3];
    assert_eq!((&last["ok"], &last["snapshot"]), (&true.into(), &first.as_str().into()));
    assert_eq!(last["evidence"]["parts"].as_array().unwrap().len(), 2);
    assert!(
        last["recovery_time"].as_u64().unwrap() > 0 && last["evidence"]["phases"].as_array().unwrap().len() == 5,
        "{last}"
    );
}

#[test]
fn a_copy_elsewhere_is_drilled_with_nothing_but_its_own_keys() {
    let project = site();
    project.runbook(&["run", "save.rhai"]).success();
    project.runbook(&["backup", "copy", "offsite", "--repository", "main"]).success();
    std::fs::rename(project.path().join("store"), project.path().join("lost")).unwrap();
    std::fs::remove_dir_all(project.path().join("uploads")).unwrap();
    std::fs::remove_file(project.path().join("app.db")).unwrap();
    project.runbook(&["backup", "drill", "--repository", "offsite"]).code(1).says("there is no repository in");
    project.runbook(&["backup", "drill", "--repository", "offsite", "--from", "offsite", "--random"]).success();
    project.runbook(&["backup", "list", "--repository", "offsite"]).success().prints("drilled 20");
    project
        .runbook(&["backup", "drill", "--repository", "offsite", "--history"])
        .success()
        .prints("1 drills, 0 failed");
}

#[test]
fn what_cannot_be_meant_is_said_before_anything_runs() {
    let project = site();
    drill(&project, &["other"]).code(2).says("[backup.main.job.other] of runbook.toml names no runbook for its drill");
    project.file_now("drill.rhai", "//! Drill.\ninfo(\"ran\");\n");
    drill(&project, &["--random"]).code(2).says("it has no parameter `snapshot`").says("@param snapshot");
    drill(&project, &["--random", "--snapshot", "abcd"]).code(2);
    drill(&project, &["--random", "--history"]).code(2);
    project.file_now("drill.rhai", "//! Drill.\nifno(\"ran\");\n");
    drill(&project, &[]).code(2).says("ifno");
}
