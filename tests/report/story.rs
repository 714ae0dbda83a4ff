//! Event lists as a run would write them, with a clock that is set by hand.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use runbook::failure::{Failure, FailureKind};
use runbook::journal::{CallState, Event, RunState};
use runbook::primitive::{Effect, LogStream, Progress, Site};
use runbook::report::{Console, Sink, Style};
use serde_json::{Value, json};

/// Events in the order they happened; `at` moves the clock, in milliseconds since the run began.
pub struct Story {
    pub events: Vec<Event>,
    now: u64,
    started: HashMap<String, u64>,
}

/// When every story begins.
fn begin() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

impl Story {
    pub fn begins(environment: &str) -> Self {
        let mut story = Self::empty();
        story.push(Event::RunStarted {
            run: 12,
            runbook: "deploy.rhai".into(),
            title: "Deploy the shop: back up, migrate, replace behind a health gate".into(),
            environment: environment.into(),
            parameters: json!({ "tag": "v1.4.2" }),
            at: story.timestamp(),
        });
        story
    }

    pub fn empty() -> Self {
        Self { events: Vec::new(), now: 0, started: HashMap::new() }
    }

    pub fn timestamp(&self) -> Timestamp {
        begin() + SignedDuration::from_millis(i64::try_from(self.now).unwrap())
    }

    pub fn at(&mut self, milliseconds: u64) -> &mut Self {
        self.now = milliseconds;
        self
    }

    pub fn step(&mut self, path: &str, name: &str) -> &mut Self {
        self.starts(path, "step", name, Effect::Flow, json!({ "name": name, "block": "|| …" }))
    }

    pub fn starts(&mut self, path: &str, name: &str, title: &str, effect: Effect, arguments: Value) -> &mut Self {
        self.started.insert(path.into(), self.now);
        let at = self.timestamp();
        let (path, name, title) = (path.into(), name.into(), title.into());
        self.push(Event::CallStarted { path, name, title, effect, arguments, site: Site::default(), at })
    }

    pub fn change(&mut self, path: &str, title: &str) -> &mut Self {
        let name = title.split(' ').next().unwrap().to_owned();
        self.starts(path, &name, title, Effect::Change, json!({ "command": ["alembic", "upgrade"], "timeout": "5m" }))
    }

    pub fn read(&mut self, path: &str, title: &str) -> &mut Self {
        let name = title.split(' ').next().unwrap().to_owned();
        self.starts(path, &name, title, Effect::Read, json!({}))
    }

    pub fn done(&mut self, path: &str) -> &mut Self {
        self.ends(path, CallState::Done, None, None, None)
    }

    pub fn changed(&mut self, path: &str, note: &str) -> &mut Self {
        self.ends(path, CallState::Done, Some(true), Some(note).filter(|note| !note.is_empty()), None)
    }

    pub fn unchanged(&mut self, path: &str, note: &str) -> &mut Self {
        self.ends(path, CallState::Done, Some(false), Some(note).filter(|note| !note.is_empty()), None)
    }

    pub fn noted(&mut self, path: &str, note: &str) -> &mut Self {
        self.ends(path, CallState::Done, None, Some(note), None)
    }

    pub fn fails(&mut self, path: &str, failure: &Failure) -> &mut Self {
        self.ends(path, CallState::Failed, None, None, Some(failure.clone()))
    }

    pub fn cancelled(&mut self, path: &str) -> &mut Self {
        self.ends(path, CallState::Cancelled, None, None, None)
    }

    pub fn log(&mut self, path: &str, stream: LogStream, line: &str) -> &mut Self {
        let at = self.timestamp();
        self.push(Event::Log { path: path.into(), stream, line: line.into(), at })
    }

    pub fn progress(&mut self, path: &str, item: &str, doing: &str, amount: Option<(u64, u64)>) -> &mut Self {
        let (current, total) = amount.unzip();
        let progress = Progress { item: item.into(), doing: doing.into(), current, total, ..Progress::default() };
        self.push(Event::Progress { path: path.into(), progress })
    }

    pub fn undo(&mut self, blocks: usize) -> &mut Self {
        let at = self.timestamp();
        self.push(Event::UndoStarted { blocks, at })
    }

    pub fn finishes(&mut self, state: RunState, failure: Option<Failure>, trace: Vec<Site>) -> &mut Self {
        let (milliseconds, at) = (self.now, self.timestamp());
        self.push(Event::RunFinished { run: 12, state, failure, trace, result: Value::Null, milliseconds, at })
    }

    fn ends(
        &mut self,
        path: &str,
        state: CallState,
        changed: Option<bool>,
        note: Option<&str>,
        failure: Option<Failure>,
    ) -> &mut Self {
        let (milliseconds, at) = (self.now - self.started[path], self.timestamp());
        let (path, note) = (path.to_owned(), note.map(str::to_owned));
        self.push(Event::CallFinished {
            path,
            state,
            result: Value::Null,
            changed,
            note,
            changes: Vec::new(),
            failure,
            masked: false,
            milliseconds,
            at,
        })
    }

    pub fn push(&mut self, event: Event) -> &mut Self {
        self.events.push(event);
        self
    }
}

/// A deployment of four calls that goes well.
pub fn deployment() -> Story {
    let mut story = Story::begins("prod");
    story.at(10).step("1", "preflight").read("1.1", "disk_free /");
    story.at(22).noted("1.1", "34.0 GiB free").read("1.2", "compose.check_env shop");
    story.at(25).done("1.2").done("1");
    story.at(30).step("2", "pull").change("2.1", "compose.pull shop");
    story.log("2.1", LogStream::Stdout, "api: pulling fs layer\t5f70bf18a086");
    story.at(8_100).changed("2.1", "2 pulled, 1 unchanged").done("2");
    story.at(8_150).step("3", "replace").log("3", LogStream::Warn, "redis has no health check");
    story.change("3.1", "compose.up shop").at(12_300).unchanged("3.1", "").done("3").finishes(
        RunState::Ok,
        None,
        vec![],
    );
    story
}

/// The health gate of a deployment fails, and the previous release is put back.
pub fn failed_deployment() -> Story {
    let failure = health_gate();
    let mut story = Story::begins("prod");
    story.at(100).step("1", "migrate").change("1.1", "compose.run api alembic upgrade head");
    story.at(2_300).changed("1.1", "").done("1");
    story.at(2_300).step("2", "replace the running containers").change("2.1", "compose.up shop");
    story.at(33_500).fails("2.1", &failure).fails("2", &failure);
    story.undo(1).starts("undo.1", "undo", "put the previous release back", Effect::Flow, json!({}));
    story.change("undo.1.1", "compose.up shop");
    story.at(37_600).changed("undo.1.1", "2 recreated, 1 unchanged").done("undo.1");
    let place = |line, column| Site { file: "deploy.rhai".into(), line, column };
    story.finishes(RunState::Failed, Some(failure), vec![place(9, 5), place(8, 1)]);
    story
}

pub fn health_gate() -> Failure {
    Failure::new(FailureKind::Check, "service `api` did not become healthy within 30s")
        .evidence(
            "last lines of api",
            "Traceback (most recent call last):\n  File \"main.py\", line 3\nKeyError: 'JWT'",
        )
        .evidence("health log", "exit code 22: curl: (22) The requested URL returned error: 503")
        .hint("set `JWT` in .env.prod")
}

pub const SOURCE: &str = "\
//! Deploy the shop.

let app = compose(\"shop\");
step(\"migrate\", || {
    app.run(\"api\", [\"alembic\", \"upgrade\", \"head\"]);
});

step(\"replace the running containers\", || {
    app.up(#{ wait: \"30s\" });
});
";

/// Everything the console writes for these events.
pub fn shown(events: &[Event], style: Style) -> String {
    let kept = Kept::default();
    let console = Console::to(Box::new(kept.clone()), style).with_sources(sources());
    for event in events {
        console.event(&crate::harness::fit(event));
    }
    drop(console);
    kept.text()
}

pub fn sources() -> runbook::report::Sources {
    Box::new(|file| (file == "deploy.rhai").then(|| SOURCE.to_owned()))
}

/// Keeps what is written to it.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Compares as text, so that a difference is readable; `expected` may begin on a line of its own.
#[track_caller]
pub fn assert_text(actual: &str, expected: &str) {
    let expected = expected.strip_prefix('\n').unwrap_or(expected);
    assert!(actual == expected, "--- expected\n{expected}\n--- actual\n{actual}\n---");
}
