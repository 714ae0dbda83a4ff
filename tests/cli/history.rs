//! A project with three runs behind it, at times that never change.

use jiff::{SignedDuration, Timestamp};
use runbook::failure::{Failure, FailureKind};
use runbook::journal::{CallState, Event, Journal, NewRun, RunState, Source};
use runbook::primitive::{Effect, LogStream, Site};
use serde_json::{Value, json};

use crate::harness::Project;

pub const SCRIPT: &str = "\
//! Deploy the shop
import \"std/health\" as health;
step(\"pull\", || info(\"pulling\"));
step(\"verify\", || health::wait(env::url));
";

/// Run 1 deployed v1, run 2 failed to deploy v2, run 3 backs up and was cancelled.
pub fn filled() -> Project {
    let project = Project::new().env("TZ", "UTC");
    let journal = Journal::open(&project.path().join(".runbook")).unwrap();
    deploy(&journal, "2026-11-01T09:00:00Z", "v1", None);
    let failure = Failure::new(FailureKind::Check, "`https://shop.example.com/health` answered 503, expected 200")
        .evidence("answer", "upstream is down\ntry later")
        .hint("look at the log of `api`");
    deploy(&journal, "2026-11-02T09:30:00Z", "v2", Some(failure));
    backup(&journal, "2026-11-03T03:00:00Z");
    project
}

fn new_run(runbook: &str, environment: &str) -> NewRun {
    NewRun {
        uid: "0123456789abcdef".into(),
        plan: None,
        narrowing: Value::Null,
        policy: None,
        fire: None,
        runbook: runbook.into(),
        title: "Deploy the shop".into(),
        environment: environment.into(),
        environment_values: json!({ "url": "https://shop.example.com" }),
        parameters: json!({}),
        project_root: "/srv/shop".into(),
        revision: None,
        started_by: "ann@desk".into(),
        sources: vec![],
        from_run: None,
    }
}

fn deploy(journal: &Journal, at: &str, tag: &str, failure: Option<Failure>) {
    let at: Timestamp = at.parse().unwrap();
    let second = |seconds: i64| at.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    let sources = vec![
        Source { path: "deploy.rhai".into(), text: SCRIPT.replace("pulling", &format!("pulling {tag}")) },
        Source { path: "std/health".into(), text: "fn wait(url) { http_check(url) }\n".into() },
    ];
    let run = journal
        .begin(&NewRun {
            parameters: json!({ "tag": tag, "keep": 7 }),
            revision: Some("4f2c9aa".into()),
            sources,
            ..new_run("deploy.rhai", "prod")
        })
        .unwrap();
    let end = |path: &str, seconds: i64, milliseconds: u64, failure: Option<&Failure>| Event::CallFinished {
        changes: Vec::new(),
        masked: false,
        path: path.into(),
        state: if failure.is_some() { CallState::Failed } else { CallState::Done },
        result: if failure.is_some() { Value::Null } else { json!({ "tag": tag }) },
        changed: (path == "1.1").then_some(true),
        note: (path == "1.1").then(|| "2 pulled".to_owned()),
        failure: failure.cloned(),
        milliseconds,
        at: second(seconds),
    };
    let events = [
        start("1", "step", "pull", Effect::Flow, 3, at),
        start("1.1", "compose.pull", "compose.pull shop", Effect::Change, 3, at),
        log("1.1", LogStream::Stdout, &format!("pulled {tag} größe"), second(1)),
        log("1.1", LogStream::Stderr, "warning: \u{1b}[31mslow\u{1b}[0m", second(2)),
        end("1.1", 7, 7_200, None),
        end("1", 8, 7_300, None),
        start("2", "step", "verify", Effect::Flow, 4, second(8)),
        start("2.1", "http_check", "http_check https://shop.example.com/health", Effect::Read, 4, second(8)),
        end("2.1", 9, if failure.is_some() { 54_000 } else { 800 }, failure.as_ref()),
        end("2", 9, if failure.is_some() { 54_100 } else { 810 }, failure.as_ref()),
        Event::RunFinished {
            run,
            state: if failure.is_some() { RunState::Failed } else { RunState::Ok },
            trace: failure.iter().map(|_| Site { file: "deploy.rhai".into(), line: 4, column: 19 }).collect(),
            result: if failure.is_some() { Value::Null } else { json!({ "serving": tag }) },
            milliseconds: if failure.is_some() { 62_000 } else { 8_100 },
            failure,
            at: second(9),
        },
    ];
    record(journal, run, at, &events);
}

fn backup(journal: &Journal, at: &str) {
    let at: Timestamp = at.parse().unwrap();
    let run = journal
        .begin(&NewRun {
            sources: vec![Source { path: "operations/backup.rhai".into(), text: "sleep(\"1h\");\n".into() }],
            started_by: "scheduler@backup-host-with-a-long-name".into(),
            title: String::new(),
            ..new_run("operations/backup.rhai", "demo")
        })
        .unwrap();
    let events = [
        log("", LogStream::Info, "nothing to back up yet", at),
        Event::RunFinished {
            run,
            state: RunState::Cancelled,
            failure: Some(Failure::new(FailureKind::Cancelled, "stopped by a person")),
            trace: vec![],
            result: Value::Null,
            milliseconds: 12,
            at,
        },
    ];
    record(journal, run, at, &events);
}

fn start(path: &str, name: &str, title: &str, effect: Effect, line: usize, at: Timestamp) -> Event {
    Event::CallStarted {
        path: path.into(),
        name: name.into(),
        title: title.into(),
        effect,
        arguments: json!({}),
        site: Site { file: "deploy.rhai".into(), line, column: 1 },
        at,
    }
}

fn log(path: &str, stream: LogStream, line: &str, at: Timestamp) -> Event {
    Event::Log { path: path.into(), stream, line: line.into(), at }
}

fn record(journal: &Journal, run: i64, at: Timestamp, events: &[Event]) {
    // A run begins when it begins; here it must have begun at a time that expected output can hold.
    let file = journal.state_folder().join("journal.sqlite");
    let moved = "UPDATE run SET started_at = ?2, owned_since = ?2, pid = 4711, machine = 'desk' WHERE id = ?1";
    rusqlite::Connection::open(file).unwrap().execute(moved, (run, at.as_microsecond())).unwrap();
    for event in events {
        journal.record(run, &crate::harness::fit(event)).unwrap();
    }
}
