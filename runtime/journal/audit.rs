//! What an auditor asks for, read from the chained entries: who had which secret put where, who decided what, who changed what
//! a run does.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::entry::{Entry, Fact};
use super::{Decision, Event, Journal};
use crate::failure::{Failure, FailureKind};
use crate::secrets::named_in;

/// One thing that somebody did, or had done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// The run.
    pub run: i64,
    /// The number of its entry in the run's chain.
    pub entry: i64,
    /// `user@machine` of whoever did it, or had the run at that moment.
    pub by: String,
    /// The environment.
    pub environment: String,
    /// The runbook's path, relative to the project.
    pub runbook: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum What {
    /// A secret was given to a call.
    Secret {
        /// Its name; of one that was made out of another, how.
        name: String,
        /// The primitive.
        call: String,
        /// Where it stood among the arguments: `env.PGPASSWORD`.
        sink: String,
        /// The call's path.
        path: String,
    },
    /// A person decided on a call.
    Decision {
        /// The call's path.
        path: String,
        /// What: `approve`, `reject`, `done`, `retry`, `fail`.
        decision: &'static str,
    },
    /// Somebody asked the run to stop.
    Cancel,
    /// The run went on with another text of its scripts.
    ScriptReplaced,
    /// The run is the first on its environment for which another `policy.toml` counted than for the one before.
    PolicyChanged {
        /// SHA-256 of the file before; `None` when there was none.
        before: Option<String>,
        /// SHA-256 of the file now.
        now: Option<String>,
    },
}

impl Journal {
    /// Everything of this kind, oldest first.
    pub fn deeds(&self) -> Result<Vec<Deed>, Failure> {
        let entries: Vec<(i64, i64, String, Option<String>)> = self.read("read the entries", |connection| {
            connection
                .prepare(
                    "SELECT run, number, body,
                            iif(body ->> '$.event' = 'secret_used',
                                (SELECT name FROM call WHERE call.run = entry.run AND path = body ->> '$.path'), NULL)
                     FROM entry
                     WHERE body ->> '$.event' <> 'call_started' OR instr(body, '⟨secret ')
                     ORDER BY run, number",
                )?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
                .collect()
        })?;
        let mut runs: HashMap<i64, Begun> = HashMap::new();
        let mut policies: HashMap<String, Option<String>> = HashMap::new();
        let mut deeds = Vec::new();
        for (run, number, body, call) in entries {
            let entry = Entry::parse(&body).map_err(|_| {
                Failure::new(FailureKind::Invalid, format!("entry {number} of run {run} cannot be read"))
                    .hint(format!("`runbook show {run} --verify` says what is wrong with it"))
            })?;
            let begun = runs.entry(run).or_default();
            let (at, by, all) = match &entry {
                Entry::Fact(fact) => {
                    begun.note(fact);
                    continue;
                }
                Entry::Event(event) => match &**event {
                    Event::PolicyApplied { policy, by, at } => {
                        let now = policy["file"].as_str().map(str::to_owned);
                        let before = policies.insert(begun.environment.clone(), now.clone()).flatten();
                        let changed = (before != now).then_some(What::PolicyChanged { before, now });
                        (*at, Some(by.as_str()), changed.into_iter().collect())
                    }
                    Event::SecretUsed { path, secret, sink, at } => {
                        let (name, sink, path) = (secret.clone(), sink.clone(), path.clone());
                        (*at, None, vec![What::Secret { name, call: call.unwrap_or_default(), sink, path }])
                    }
                    event => of(event),
                },
            };
            deeds.extend(all.into_iter().map(|what| Deed {
                at,
                run,
                entry: number,
                by: by.unwrap_or(&begun.by).to_owned(),
                environment: begun.environment.clone(),
                runbook: begun.runbook.clone(),
                what,
            }));
        }
        deeds.sort_by_key(|deed| (deed.at, deed.run, deed.entry));
        Ok(deeds)
    }
}

/// What is known of a run by now.
#[derive(Default)]
struct Begun {
    by: String,
    environment: String,
    runbook: String,
}

impl Begun {
    fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::RunBegun { new, .. } => {
                self.by.clone_from(&new.started_by);
                self.environment.clone_from(&new.environment);
                self.runbook.clone_from(&new.runbook);
            }
            Fact::RunTakenUp { by, .. } => self.by.clone_from(by),
            _ => {}
        }
    }
}

/// When, who if the event says so, and what was done.
fn of(event: &Event) -> (Timestamp, Option<&str>, Vec<What>) {
    match event {
        Event::CallStarted { path, name, arguments, at, .. } => {
            let mut uses = Vec::new();
            find(arguments, "", &mut |secret, sink| {
                let secret = What::Secret { name: secret, call: name.clone(), sink: sink.into(), path: path.clone() };
                if !uses.contains(&secret) {
                    uses.push(secret);
                }
            });
            (*at, None, uses)
        }
        Event::Decided { path, decision, by, at } => {
            let decision = match decision {
                Decision::Done { .. } | Decision::Happened => "done",
                Decision::Retry => "retry",
                Decision::Fail => "fail",
                Decision::Approve { .. } => "approve",
                Decision::Reject { .. } => "reject",
            };
            (*at, Some(by), vec![What::Decision { path: path.clone(), decision }])
        }
        Event::CancelRequested { by, at } => (*at, Some(by), vec![What::Cancel]),
        Event::ScriptReplaced { by, at, .. } => (*at, Some(by), vec![What::ScriptReplaced]),
        _ => (Timestamp::UNIX_EPOCH, None, Vec::new()),
    }
}

/// Hands every named secret in a call's arguments to `found`, with its place.
fn find(value: &Value, place: &str, found: &mut dyn FnMut(String, &str)) {
    match value {
        Value::String(text) => named_in(text).into_iter().for_each(|name| found(name.to_owned(), place)),
        Value::Array(items) => items.iter().for_each(|item| find(item, place, found)),
        Value::Object(map) => {
            for (key, item) in map {
                let inside = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                find(item, &inside, found);
            }
        }
        _ => {}
    }
}
