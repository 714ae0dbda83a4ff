use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::journal::{CallRecord, CallState, around};

/// A time is noticeably different from this many milliseconds on, if it is also half as long again.
const NOTICEABLE: u64 = 500;

/// One run's side of a step.
#[derive(Clone, Debug, Serialize)]
pub struct StepSide {
    /// The call's path.
    pub path: String,
    /// How it ended.
    pub state: CallState,
    /// Whether it changed anything.
    pub changed: Option<bool>,
    /// What it returned.
    pub result: serde_json::Value,
    /// How long it took.
    pub milliseconds: Option<u64>,
}

/// A step that two runs do not share.
#[derive(Clone, Debug, Serialize)]
pub struct StepChange {
    /// Its name and those of the steps around it, outermost first.
    pub step: Vec<String>,
    /// What happened in run `a`; none when it did not run there.
    pub a: Option<StepSide>,
    /// What happened in run `b`; none when it did not run there.
    pub b: Option<StepSide>,
    /// Did it end otherwise?
    pub state_differs: bool,
    /// Did it return something else?
    pub result_differs: bool,
    /// Did it take a noticeably different time?
    pub time_differs: bool,
}

impl StepChange {
    /// Did both do the same in a different time?
    pub fn is_only_time(&self) -> bool {
        self.a.is_some() && self.b.is_some() && !self.state_differs && !self.result_differs
    }
}

/// Steps by the names of the steps around them and their own; a name used again counts up.
type Key = (Vec<String>, usize);

/// The steps that differ, in the order of `a`, with what only `b` has behind what it follows there.
pub(super) fn changes(a: &[CallRecord], b: &[CallRecord], all: bool) -> Vec<StepChange> {
    let (a, b) = (sides(a, all), sides(b, all));
    let in_a: HashMap<&Key, &StepSide> = a.iter().map(|(key, side)| (key, side)).collect();
    let in_b: HashMap<&Key, &StepSide> = b.iter().map(|(key, side)| (key, side)).collect();
    merged(&a, &b, &in_a)
        .into_iter()
        .filter_map(|key| change(key, in_a.get(key).copied(), in_b.get(key).copied()))
        .collect()
}

fn change(key: &Key, a: Option<&StepSide>, b: Option<&StepSide>) -> Option<StepChange> {
    let both = a.zip(b);
    let change = StepChange {
        step: key.0.clone(),
        state_differs: both.is_some_and(|(a, b)| (a.state, a.changed) != (b.state, b.changed)),
        result_differs: both.is_some_and(|(a, b)| a.result != b.result),
        time_differs: both.is_some_and(|(a, b)| is_noticeable(a.milliseconds, b.milliseconds)),
        a: a.cloned(),
        b: b.cloned(),
    };
    (both.is_none() || change.state_differs || change.result_differs || change.time_differs).then_some(change)
}

fn is_noticeable(a: Option<u64>, b: Option<u64>) -> bool {
    a.zip(b).is_some_and(|(a, b)| {
        let (less, more) = (a.min(b), a.max(b));
        more - less >= NOTICEABLE && more >= less + less / 2
    })
}

/// The keys of both, each once.
fn merged<'a>(a: &'a [(Key, StepSide)], b: &'a [(Key, StepSide)], in_a: &HashMap<&Key, &StepSide>) -> Vec<&'a Key> {
    let (mut keys, mut taken) = (Vec::new(), HashSet::new());
    let mut rest = b.iter().map(|(key, _)| key).peekable();
    for (key, _) in a {
        keys.extend(std::iter::from_fn(|| rest.next_if(|next| !in_a.contains_key(*next))));
        if rest.peek() == Some(&key) {
            rest.next();
        }
        if taken.insert(key) {
            keys.push(key);
        }
    }
    keys.extend(rest.filter(|key| !in_a.contains_key(*key)));
    keys
}

fn sides(calls: &[CallRecord], all: bool) -> Vec<(Key, StepSide)> {
    let steps: HashMap<&str, &str> =
        calls.iter().filter(|call| call.is_step()).map(|call| (call.path.as_str(), call.title.as_str())).collect();
    let mut used: HashMap<Vec<String>, usize> = HashMap::new();
    let mut sides = Vec::new();
    for call in calls {
        let mut names: Vec<String> =
            around(&call.path).skip(1).filter_map(|path| steps.get(path)).map(|name| (*name).to_owned()).collect();
        if !all && !call.is_step() && !names.is_empty() {
            continue;
        }
        names.reverse();
        names.push(call.title.clone());
        let times = used.entry(names.clone()).or_default();
        *times += 1;
        let side = StepSide {
            path: call.path.clone(),
            state: call.state,
            changed: call.changed,
            result: call.result.clone(),
            milliseconds: call.milliseconds,
        };
        sides.push(((names, *times), side));
    }
    sides
}
