//! What an earlier process did of this run: the calls that need not be made again, and what was already said.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Mutex;

use serde_json::Value;

use super::frame::Past;
use crate::journal::{CallRecord, CallState, Journal, LogQuery, around};
use crate::primitive::{Change, Failure, FailureKind, LogStream, Site};
use crate::secrets::{is_masked, matches_masked};

/// The past of a run that is gone on with; empty for a new one.
#[derive(Default)]
pub(super) struct Replay {
    calls: HashMap<String, CallRecord>,
    /// Every path under which something happened, calls and branches alike.
    reached: HashSet<String>,
    said: Mutex<HashMap<(String, LogStream), VecDeque<String>>>,
}

impl Replay {
    /// Reads what the run has done.
    pub(super) fn load(journal: &Journal, run: i64) -> Result<Self, Failure> {
        let calls = journal.calls(run)?;
        let reached = calls.iter().flat_map(|call| around(&call.path)).map(str::to_owned).collect();
        let calls: HashMap<String, CallRecord> = calls.into_iter().map(|call| (call.path.clone(), call)).collect();
        let mut said: HashMap<(String, LogStream), VecDeque<String>> = HashMap::new();
        journal.each_log(&LogQuery { run: Some(run), ..LogQuery::default() }, &mut |line| {
            let is_open = calls.get(&line.path).is_some_and(|call| call.state == CallState::Started);
            // The output of calls that ended is not asked for again, and there may be much of it.
            if is_open || matches!(line.stream, LogStream::Info | LogStream::Warn) {
                said.entry((line.path, line.stream)).or_default().push_back(line.line);
            }
            ControlFlow::Continue(())
        })?;
        Ok(Self { calls, reached, said: Mutex::new(said) })
    }

    /// The call recorded at that path.
    pub(super) fn call(&self, path: &str) -> Option<&CallRecord> {
        self.calls.get(path)
    }

    /// What was done inside the call at that path.
    pub(super) fn past(&self, path: &str) -> Past {
        match self.calls.get(path).map(|call| call.state) {
            None => Past::None,
            Some(CallState::Started) => Past::Begun,
            Some(_) => Past::Ended,
        }
    }

    /// What each call changed.
    pub(super) fn changes(&self) -> impl Iterator<Item = &[Change]> {
        self.calls.values().map(|call| call.changes.as_slice())
    }

    /// Did anything happen there or below?
    pub(super) fn reached(&self, path: &str) -> bool {
        self.reached.contains(path)
    }

    /// How many calls had ended.
    pub(super) fn finished(&self) -> usize {
        self.calls.values().filter(|call| call.state != CallState::Started).count()
    }

    /// Was this line of output said before at this place? Then it is crossed off and must not be said again, be it of a
    /// call that is gone through or of one that is made again: a log tells once what was said once by each of two attempts.
    pub(super) fn was_said(&self, path: &str, stream: LogStream, line: &str) -> bool {
        if self.calls.is_empty() {
            return false;
        }
        let Ok(mut said) = self.said.lock() else { return false };
        // Output and errors of a program come over two ways: their order among each other may have been another.
        let Some(lines) = said.get_mut(&(path.to_owned(), stream)) else { return false };
        match lines.iter().take(100).position(|next| next == line) {
            Some(place) => {
                lines.remove(place);
                true
            }
            None => false,
        }
    }

    /// Do these arguments of a new call hold a mask that only a recorded result can have brought there?
    pub(super) fn lacks(&self, arguments: &Value) -> bool {
        fn any(value: &Value) -> bool {
            match value {
                Value::String(text) => is_masked(text),
                Value::Array(items) => items.iter().any(any),
                Value::Object(map) => map.values().any(any),
                _ => false,
            }
        }
        !self.calls.is_empty() && any(arguments)
    }
}

/// Are these the arguments that were recorded, as far as the record tells? What was masked in it may be anything.
pub(super) fn same(recorded: &Value, now: &Value) -> bool {
    match (recorded, now) {
        (Value::String(recorded), Value::String(now)) => matches_masked(recorded, now),
        (Value::Array(recorded), Value::Array(now)) => {
            recorded.len() == now.len() && recorded.iter().zip(now).all(|(recorded, now)| same(recorded, now))
        }
        (Value::Object(recorded), Value::Object(now)) => {
            recorded.len() == now.len()
                && recorded.iter().all(|(key, recorded)| now.get(key).is_some_and(|now| same(recorded, now)))
        }
        _ => recorded == now,
    }
}

/// The script calls something else than the journal tells of: both sides.
pub(super) fn diverged(record: &CallRecord, name: &str, arguments: &Value, site: &Site) -> Failure {
    let call = |name: &str, arguments: &Value| {
        let text = arguments.as_object().filter(|map| !map.is_empty()).map(|_| format!(" {arguments}"));
        format!("{name}{}", text.unwrap_or_default())
    };
    Failure::new(FailureKind::Halted, format!("diverged at {site}: this is not the call that the run log has there"))
        .evidence(format!("run log, call {} from {}", record.path, record.site), call(&record.name, &record.arguments))
        .evidence("script", call(name, arguments))
        .hint("a script must do the same with the same values: decide on nothing but what calls return")
}
