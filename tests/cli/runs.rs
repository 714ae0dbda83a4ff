use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::history::filled;
use crate::harness::{Project, Ran, skip};

#[test]
fn runs_are_listed_newest_first_in_80_columns() {
    let listed = filled().runbook(&["runs"]).success().stdout;
    let expected = "\
RUN  RUNBOOK           ENV   STATE      STARTED            TIME  BY
  3  operations/back…  demo  cancelled  2026-11-03 03:00   12ms  scheduler@back…
  2  deploy.rhai       prod  failed     2026-11-02 09:30  1m02s  ann@desk
  1  deploy.rhai       prod  ok         2026-11-01 09:00   8.1s  ann@desk
";
    assert_eq!(listed, expected);
    assert!(listed.lines().all(|line| line.chars().count() <= 80));
}

/// The commands on a state folder that is mounted to be read only; none where nobody may mount.
fn read_only(project: &Project, commands: &[&[&str]]) -> Option<Vec<Ran>> {
    let runbook = |words: &&[&str]| {
        let script = "mount --bind .runbook .runbook && mount -o remount,ro,bind .runbook && exec \"$@\"";
        let (command, mut mounted) = (project.command(words), Command::new("unshare"));
        mounted.args(["--mount", "sh", "-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
        mounted.current_dir(project.path()).envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        mounted.output().ok().map(Ran::from)
    };
    let may_mount = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    if !may_mount {
        skip("root, for a mount of its own");
        return None;
    }
    commands.iter().map(runbook).collect()
}

#[test]
fn a_state_folder_that_may_only_be_read_is_read_and_what_is_said_of_it_is_true() {
    let project = Project::script("sh([\"sh\", \"-c\", \"touch begun; sleep 60\"]);");
    let begun = || project.path().join("begun").exists();
    project.interrupted(&["run", "test.rhai"], rustix::process::Signal::KILL, begun);
    let commands: [&[&str]; 6] =
        [&["runs"], &["show", "1"], &["top", "--once"], &["resume"], &["run", "test.rhai"], &["doctor"]];
    let Some(ran) = read_only(&project, &commands) else { return };
    let [runs, show, top, resume, run, doctor]: [Ran; 6] = ran.try_into().ok().unwrap();
    let why = "journal.sqlite` may not be written: its file system is read-only";
    let settled = "warning: runs whose process is gone are still shown as running: cannot settle a killed run";
    runs.success().says(settled).says(why).prints("running");
    show.success().says(settled).says(why).prints("touch begun");
    top.success().says(why).prints("test.rhai");
    for refused in [resume, run] {
        let refused = refused.code(1).says(why).says("hint: `findmnt --target ").says("shows how it is mounted");
        refused.never_says("owns").never_says("no run stands still");
    }
    let doctor = doctor.prints("the file system is read-only").prints("findmnt --target ");
    assert!(!doctor.stdout.contains("chown"), "{}", doctor.stdout);
    project.runbook(&["cancel", "1"]).success();

    // Where files are missing that only a writer makes, it cannot even be read.
    for file in ["journal.sqlite-shm", "journal.sqlite-wal"] {
        let _ = std::fs::remove_file(project.path().join(".runbook").join(file));
    }
    let ran = read_only(&project, &[&["runs"]]).unwrap().remove(0);
    ran.code(1).says("cannot be opened: its file system is read-only").says("copy the state folder to another one");
}

#[test]
fn runs_are_filtered() {
    let project = filled();
    let ids = |arguments: &[&str]| {
        let all = [&["runs", "--json"], arguments].concat();
        let runs: Vec<Value> = serde_json::from_str(&project.runbook(&all).success().stdout).unwrap();
        runs.iter().map(|run| run["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), [3, 2, 1]);
    assert_eq!(ids(&["--runbook", "deploy"]), [2, 1]);
    assert_eq!(ids(&["--runbook", "backup"]), [3]);
    assert_eq!(ids(&["--env", "demo"]), [3]);
    assert_eq!(ids(&["--state", "ok,failed"]), [2, 1]);
    assert_eq!(ids(&["--state", "ok", "--state", "cancelled"]), [3, 1]);
    assert_eq!(ids(&["--since", "2026-11-02"]), [3, 2]);
    assert_eq!(ids(&["--since", "2026-11-02T09:30", "--until", "2026-11-03"]), [2]);
    assert_eq!(ids(&["-n", "1"]), [3]);
    project.runbook(&["runs", "--env", "nowhere"]).success().says("no run matches");
    project.runbook(&["runs", "-n", "2"]).success().says("only the newest 2 are listed");
}

#[test]
fn a_wrong_filter_says_what_it_can_be() {
    let project = filled();
    project
        .runbook(&["runs", "--state", "broken"])
        .code(2)
        .says("possible values: running, waiting, in_doubt, ok, failed, cancelled, killed");
    project.runbook(&["runs", "--since", "soon"]).code(2).says("write `2d`, `2026-11-01` or `2026-11-01T14:30`");
}

#[test]
fn json_holds_everything_known_of_a_run() {
    let printed = filled().runbook(&["runs", "--json", "--state", "failed"]).success().stdout;
    let expected = r#"[
  {
    "id": 2,
    "uid": "0123456789abcdef",
    "runbook": "deploy.rhai",
    "title": "Deploy the shop",
    "environment": "prod",
    "environment_values": {
      "url": "https://shop.example.com"
    },
    "parameters": {
      "tag": "v2",
      "keep": 7
    },
    "project_root": "/srv/shop",
    "revision": "4f2c9aa",
    "started_by": "ann@desk",
    "from_run": null,
    "state": "failed",
    "started_at": "2026-11-02T09:30:00Z",
    "finished_at": "2026-11-02T09:30:09Z",
    "milliseconds": 62000,
    "owned_since": "2026-11-02T09:30:00Z",
    "undo_blocks": null,
    "failure": {
      "kind": "check",
      "message": "`https://shop.example.com/health` answered 503, expected 200",
      "hints": [
        "look at the log of `api`"
      ],
      "evidence": [
        {
          "title": "answer",
          "text": "upstream is down\ntry later"
        }
      ]
    },
    "trace": [
      {
        "file": "deploy.rhai",
        "line": 4,
        "column": 19
      }
    ],
    "result": null,
    "plan": null,
    "parked": null,
    "script_end": null,
    "machine": "desk",
    "pid": 4711
  }
]
"#;
    assert_eq!(printed, expected);
}

#[test]
fn without_a_run_there_is_nothing_to_list_and_nothing_is_created() {
    let project = Project::new();
    let ran = project.runbook(&["runs"]).success().says("no runs yet");
    assert_eq!(ran.stdout, "");
    assert_eq!(project.runbook(&["runs", "--json"]).success().stdout, "[]\n");
    assert!(!project.path().join(".runbook").exists());
}

#[test]
fn runs_are_found_from_a_folder_inside_the_project() {
    let project = Project::script("1 + 1;").file("runbook.toml", "[env.demo]\n").file("deep/down/notes.txt", "");
    project.run().success();
    let mut command = project.command(&["runs"]);
    let listed = command.current_dir(project.path().join("deep/down")).output().unwrap();
    assert!(String::from_utf8(listed.stdout).unwrap().contains("test.rhai"));
}

#[test]
fn a_run_whose_process_was_killed_is_never_running_for_ever() {
    let project = Project::script("step(\"wait\", || sleep(\"10m\"));");
    let began = Instant::now();
    let mut child = project.command(&["run", "test.rhai"]).spawn().unwrap();
    while !project.runbook(&["show", "last"]).stdout.contains("wait") {
        assert!(began.elapsed() < Duration::from_secs(60), "the run never reached its step");
        std::thread::sleep(Duration::from_millis(20));
    }
    project.runbook(&["runs"]).success().prints("  running  ");
    child.kill().unwrap();
    child.wait().unwrap();
    project.runbook(&["runs"]).success().prints("  killed  ");
    project.runbook(&["runs", "--state", "running"]).success().says("no run matches");
    project.runbook(&["show", "last"]).success().prints("ended without finishing the run");
}

#[test]
fn a_run_that_waits_for_a_person_takes_no_longer() {
    let project = Project::script("confirm(\"Go on?\");");
    project.runbook(&["run", "test.rhai"]);
    let first = project.runbook(&["runs"]).success().prints("  waiting  ").stdout;
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(project.runbook(&["runs"]).success().stdout, first);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let project = filled();
    let mut child = project.command(&["runs"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
