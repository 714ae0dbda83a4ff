//! A plan: what a run would change, found out by running the script with its looks made and its changes not.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ValueChange, value_changes};
use crate::failure::Failure;
use crate::primitive::{Action, Change, Site, as_planned};

/// What a run would do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The format of this document.
    pub format: u32,
    /// The runbook's path, relative to the project.
    pub runbook: String,
    /// The environment's name.
    pub environment: String,
    /// Parameters with defaults filled in.
    pub parameters: Value,
    /// Of scripts, parameters and environment.
    pub digest: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom: `user@machine`.
    pub made_by: String,
    /// Every call that would change something, in the order of the script.
    pub calls: Vec<PlannedCall>,
    /// Everything that was looked at, and what was seen.
    pub looks: Vec<Look>,
    /// Questions that a person will be asked.
    pub questions: Vec<String>,
    /// What would be undone, should it fail, first to last.
    pub undo: Vec<String>,
    /// Where the plan ends, when it cannot look to the end.
    pub certain_until: Option<Uncertain>,
    /// Why the run would fail.
    pub failure: Option<Failure>,
}

/// A call that a run would make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedCall {
    /// Its path.
    pub path: String,
    /// The primitive's qualified name.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// The innermost step around it; empty outside of steps.
    pub step: String,
    /// Where the script makes it.
    pub site: Site,
    /// Arguments and options, redacted.
    pub arguments: Value,
    /// What it would change.
    pub changes: Vec<Change>,
}

/// Something that a plan looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The call's path.
    pub path: String,
    /// The primitive's qualified name; empty for what a call that changes something found before.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Arguments and options, redacted.
    pub arguments: Value,
    /// What was seen, without what changes by itself.
    pub seen: Value,
}

impl Look {
    /// What a call that changes something found where it would: `the content of …`, by its fingerprint.
    pub fn found(path: &str, what: &str, fingerprint: String) -> Self {
        let (path, title) = (path.to_owned(), what.to_owned());
        Self { path, name: String::new(), title, arguments: Value::Null, seen: fingerprint.into() }
    }

    /// What is different in what was looked at, one line each.
    fn drift(&self, now: &Self) -> Vec<String> {
        if self.name.is_empty() {
            let is_another = self.title != now.title || self.seen != now.seen;
            return is_another.then(|| format!("{} is another one", self.title)).into_iter().collect();
        }
        let changes = value_changes(&self.seen, &now.seen);
        changes.iter().map(|change| format!("{}: {}", self.title, shown(change))).collect()
    }
}

/// Where a plan ends before the script does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncertain {
    /// Where in the script; none when it is not known.
    pub site: Option<Site>,
    /// What it depends on: ``what `migrate` returns``; none when that cannot be told for sure.
    pub depends_on: Option<String>,
}

impl Plan {
    /// How many changes there are of each kind.
    pub fn counts(&self) -> BTreeMap<Action, usize> {
        let mut counts = BTreeMap::new();
        for change in self.calls.iter().flat_map(|call| &call.changes) {
            *counts.entry(change.action).or_default() += 1;
        }
        counts
    }

    /// What is different in the world and in the project since this plan was made, one line each.
    pub fn drift(&self, now: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.runbook != now.runbook {
            lines.push(format!("the plan is for {}, not for {}", self.runbook, now.runbook));
        }
        if self.environment != now.environment {
            lines.push(format!("the plan is for environment {}, not for {}", self.environment, now.environment));
        }
        let parameters = value_changes(&self.parameters, &now.parameters);
        lines.extend(parameters.iter().map(|change| format!("parameter {}", shown(change))));
        if self.digest != now.digest && lines.is_empty() {
            lines.push("the script, a module of it, or a value of the environment is another one".into());
        }
        for look in &self.looks {
            match now.looks.iter().find(|other| other.path == look.path) {
                // Arguments come out of other looks: what is different in them is told there, and what passes is not.
                Some(other) if other.name == look.name => lines.extend(look.drift(other)),
                // Whatever it was: the change itself is not the planned one then.
                _ if look.name.is_empty() => {}
                _ => lines.push(format!("`{}` is not looked at any more", look.title)),
            }
        }
        for call in &self.calls {
            match now.call(&call.path) {
                Some(other) if other.name == call.name && as_planned(&call.arguments, &other.arguments) => {
                    lines.extend(changed(call, other));
                }
                _ => lines.push(format!("`{}` is not called any more", call.title)),
            }
        }
        let new = now.calls.iter().filter(|call| self.call(&call.path).is_none());
        lines.extend(new.map(|call| format!("`{}` was not planned", call.title)));
        if self.certain_until != now.certain_until {
            lines.push("the plan ends at another place".into());
        }
        lines
    }

    /// The call at that path.
    pub fn call(&self, path: &str) -> Option<&PlannedCall> {
        self.calls.iter().find(|call| call.path == path)
    }
}

/// What one call would change now and was not planned, and the other way round.
fn changed(planned: &PlannedCall, now: &PlannedCall) -> Vec<String> {
    let line = |change: &Change| {
        let detail = change.detail.first().map_or_else(String::new, |detail| format!(" ({detail})"));
        format!("{} {}{detail}", change.action.symbol(), change.what)
    };
    let gone = planned.changes.iter().filter(|change| !now.changes.contains(change));
    let new = now.changes.iter().filter(|change| !planned.changes.contains(change));
    gone.map(|change| format!("`{}` would no longer: {}", planned.title, line(change)))
        .chain(new.map(|change| format!("`{}` would now: {}", planned.title, line(change))))
        .collect()
}

fn shown(change: &ValueChange) -> String {
    let side = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    format!("{}: {} → {}", change.path, side(&change.a), side(&change.b))
}
