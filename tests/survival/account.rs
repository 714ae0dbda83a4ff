//! What a run leaves behind, and how that differs from what an undisturbed one leaves.

use std::collections::BTreeMap;

use runbook::journal::{CallRecord, Journal, LogQuery, RunFilter, RunState};
use serde_json::{Value, json};

use super::site::{Site, World};

/// The world, and what the run log says about the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub world: World,
    /// How it ended: its state, its result, its failure.
    end: Value,
    /// Every call, by its path.
    calls: BTreeMap<String, Value>,
    /// How often each line stands in the log.
    lines: BTreeMap<String, usize>,
    /// Who holds which lock.
    pub locks: Vec<String>,
    runs: usize,
}

/// The run of the scenario; an earlier one has made the run log.
pub fn number(site: &Site) -> i64 {
    if site.scenario.has_log { 2 } else { 1 }
}

/// Its state, if it has begun.
pub fn state(site: &Site) -> Option<RunState> {
    let journal = Journal::open_existing(&site.state()).unwrap()?;
    journal.run(number(site)).ok().map(|run| run.state)
}

impl Account {
    pub fn of(site: &Site) -> Self {
        let journal = Journal::open(&site.state()).unwrap();
        let run = journal.run(number(site)).unwrap();
        let failure = run.failure.map(|failure| json!([failure.kind, failure.message, failure.hints]));
        let mut calls = BTreeMap::new();
        for call in journal.calls(run.id).unwrap() {
            let failure = call.failure.map(|failure| failure.message);
            // A lock that was freed by the death of its holder has had one holder more.
            let result = if call.name == "lock" { json!(call.arguments["name"]) } else { call.result };
            calls.insert(call.path, json!([call.name, call.title, call.state, result, failure]));
        }
        let mut lines = BTreeMap::new();
        for line in journal.logs(&LogQuery { run: Some(run.id), ..LogQuery::default() }).unwrap() {
            *lines.entry(format!("{} {}: {}", line.path, json!(line.stream), line.line)).or_default() += 1;
        }
        Self {
            world: site.world(),
            end: json!([run.state, run.result, failure, run.undo_blocks]),
            calls,
            lines,
            locks: journal
                .leases()
                .unwrap()
                .into_iter()
                .map(|lease| format!("{} by {}", lease.name, lease.run))
                .collect(),
            runs: journal.runs(&RunFilter::default()).unwrap().len(),
        }
    }

    /// Was one of the run's commands killed, or who watched over it, and not only the run?
    pub fn a_command_died(&self) -> bool {
        self.tells_of(&["killed by SIG", "code 137", "keeps watch over", "kept watch over"])
    }

    /// Did a call or a line of the log tell of one of these?
    pub fn tells_of(&self, signs: &[&str]) -> bool {
        let failures = self.calls.values().filter_map(|call| call[4].as_str());
        let said = failures.chain(self.lines.keys().map(String::as_str));
        said.into_iter().any(|text| signs.iter().any(|sign| text.contains(sign)))
    }

    /// Everything in which this differs from `wanted`, each with its kind as its first word.
    pub fn differences(&self, wanted: &Self, ordered: bool) -> Vec<String> {
        let mut found = too_often(&self.world.effects, &wanted.world.effects, 0);
        let missing = too_often(&wanted.world.effects, &self.world.effects, 0);
        found.extend(missing.into_iter().map(|effect| effect.replace("twice", "missing")));
        let order = |effects: &[String]| -> Vec<String> {
            let is_kept = |effect: &&String| ordered || effect.starts_with("undo") || effect.starts_with("always");
            effects.iter().filter(is_kept).cloned().collect()
        };
        if found.is_empty() && order(&self.world.effects) != order(&wanted.world.effects) {
            found.push(format!("order {:?}", self.world.effects));
        }
        found.extend(unequal("file", &self.world.files, &wanted.world.files));
        found.extend(unequal("call", &self.calls, &wanted.calls));
        if self.end != wanted.end {
            found.push(format!("end {} instead of {}", self.end, wanted.end));
        }
        for (line, count) in &self.lines {
            if *count > wanted.lines.get(line).copied().unwrap_or_default() {
                found.push(format!("line {count} times: {line}"));
            }
        }
        if self.locks != wanted.locks {
            found.push(format!("lock {:?}", self.locks));
        }
        if self.runs != wanted.runs {
            found.push(format!("runs {} instead of {}", self.runs, wanted.runs));
        }
        found
    }
}

/// Effects that happened more often than they should; one that an undisturbed run has not at all may happen once.
pub fn twice(effects: &[String], wanted: &[String]) -> Vec<String> {
    too_often(effects, wanted, 1)
}

fn too_often(effects: &[String], wanted: &[String], least: usize) -> Vec<String> {
    let count = |effects: &[String], key: &String| effects.iter().filter(|effect| *effect == key).count();
    let mut keys: Vec<&String> = effects.iter().collect();
    keys.sort();
    keys.dedup();
    let repeated = keys.into_iter().filter(|key| count(effects, key) > count(wanted, key).max(least));
    repeated.map(|key| format!("twice `{key}`: {} times", count(effects, key))).collect()
}

fn unequal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &BTreeMap<String, T>,
    wanted: &BTreeMap<String, T>,
) -> Vec<String> {
    let keys = found.keys().chain(wanted.keys().filter(|key| !found.contains_key(*key)));
    keys.filter(|key| found.get(*key) != wanted.get(*key))
        .map(|key| format!("{what} {key}: {:?} instead of {:?}", found.get(key), wanted.get(key)))
        .collect()
}

/// Is nothing more to come?
pub fn is_over(state: RunState) -> bool {
    matches!(state, RunState::Ok | RunState::Failed | RunState::Cancelled)
}

/// One call of the run.
pub fn call(site: &Site, path: &str) -> CallRecord {
    Journal::open(&site.state()).unwrap().call(number(site), path).unwrap().unwrap()
}
