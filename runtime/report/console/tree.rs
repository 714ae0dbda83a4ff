//! The calls of a run as a tree, built from events.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::Value;

use super::super::text::clean;
use crate::journal::CallState;
use crate::primitive::{Effect, LogStream, Progress};

/// How many log lines of a call are kept as evidence for its failure.
const TAIL: usize = 20;

/// What a line of the tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A named group: a step, an undo block, an always block.
    Step,
    /// One branch of a `parallel`, one attempt of a `retry`: the events name it only in the paths of its calls.
    Branch,
    /// Any other call.
    Call,
}

/// One call, from its start on.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) kind: Kind,
    pub(super) parent: Option<String>,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) effect: Effect,
    pub(super) arguments: Value,
    pub(super) started: Timestamp,
    pub(super) items: Vec<Item>,
    pub(super) end: Option<End>,
    pub(super) tail: VecDeque<String>,
    pub(super) progress: Vec<Progress>,
    /// Is its first line already printed, where lines are printed one by one?
    pub(super) opened: bool,
}

/// What stands below a call, in the order it happened.
#[derive(Debug)]
pub(super) enum Item {
    /// A call inside, by its path.
    Call(String),
    /// A line of `info`, `warn` or, when everything is shown, of a command.
    Line(LogStream, String),
}

/// How a call ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) state: CallState,
    pub(super) changed: Option<bool>,
    pub(super) note: Option<String>,
    /// Why it failed, unless a call inside already said so.
    pub(super) problem: Vec<String>,
    pub(super) milliseconds: u64,
}

/// The calls that are still of interest, by path.
#[derive(Debug, Default)]
pub(super) struct Tree {
    calls: BTreeMap<String, Call>,
    roots: Vec<String>,
}

impl Tree {
    pub(super) fn get(&self, path: &str) -> Option<&Call> {
        self.calls.get(path)
    }

    pub(super) fn get_mut(&mut self, path: &str) -> Option<&mut Call> {
        self.calls.get_mut(path)
    }

    /// The outermost calls, oldest first.
    pub(super) fn roots(&self) -> &[String] {
        &self.roots
    }

    /// Is there a call of this name that has not ended?
    pub(super) fn goes_on(&self, name: &str) -> bool {
        self.calls.values().any(|call| call.name == name && call.end.is_none())
    }

    /// Adds a call below the nearest call its path lies under, through a branch when the path names one.
    pub(super) fn start(
        &mut self,
        path: &str,
        (name, title): (&str, &str),
        effect: Effect,
        arguments: &Value,
        at: Timestamp,
    ) {
        let kind = if is_step(path, name) { Kind::Step } else { Kind::Call };
        let parent = self.parent_of(path, at);
        // Calls that arrange others have nothing but the name they were given.
        let named = kind == Kind::Step || effect != Effect::Flow || title.starts_with(name);
        let title = if named { title.to_owned() } else { format!("{name} {title}") };
        let call = Call { effect, arguments: arguments.clone(), ..Call::new(kind, name, &title, at) };
        self.insert(path, parent, call);
    }

    /// Notes how a call ended; false when its start was never seen.
    ///
    /// A branch has no events of its own: it lasts as long as its calls, and fails with them.
    pub(super) fn finish(&mut self, path: &str, end: End, at: Timestamp) -> bool {
        let Some(call) = self.calls.get_mut(path) else { return false };
        call.progress.clear();
        call.tail.clear();
        let parent = call.parent.clone();
        let state = end.state;
        call.end = Some(end);
        if let Some(branch) =
            parent.and_then(|parent| self.calls.get_mut(&parent)).filter(|call| call.kind == Kind::Branch)
        {
            let milliseconds = u64::try_from(at.duration_since(branch.started).as_millis()).unwrap_or(0);
            branch.end = Some(End { state, changed: None, note: None, problem: Vec::new(), milliseconds });
        }
        true
    }

    /// Forgets a call and everything below it.
    pub(super) fn remove(&mut self, path: &str) {
        let Some(call) = self.calls.remove(path) else { return };
        match call.parent.and_then(|parent| self.calls.get_mut(&parent)) {
            // The newest stands last, so the search from the end is short.
            Some(parent) => {
                let at = parent.items.iter().rposition(|item| matches!(item, Item::Call(call) if call == path));
                at.map(|at| parent.items.remove(at));
            }
            None => self.roots.retain(|root| root != path),
        }
        for item in call.items {
            if let Item::Call(path) = item {
                self.remove(&path);
            }
        }
    }

    /// The calls above, innermost first.
    pub(super) fn ancestors<'a>(&'a self, path: &str) -> impl Iterator<Item = (&'a str, &'a Call)> {
        let mut next = self.get(path).and_then(|call| call.parent.as_deref());
        std::iter::from_fn(move || {
            let path = next?;
            let call = self.get(path)?;
            next = call.parent.as_deref();
            Some((path, call))
        })
    }

    fn parent_of(&mut self, path: &str, at: Timestamp) -> Option<String> {
        let mut above = path;
        let mut skipped = None;
        while let Some((parent, last)) = above.rsplit_once('.') {
            if let Some(call) = self.calls.get(parent) {
                let Some(branch) = skipped else { return Some(parent.to_owned()) };
                let title = branch_title(call, branch);
                let branch = format!("{parent}.{branch}");
                self.insert(&branch, Some(parent.to_owned()), Call::new(Kind::Branch, "", &title, at));
                return Some(branch);
            }
            (above, skipped) = (parent, parent.rsplit_once('.').map_or(Some(last), |(_, last)| Some(last)));
        }
        None
    }

    fn insert(&mut self, path: &str, parent: Option<String>, call: Call) {
        match parent.as_ref().and_then(|parent| self.calls.get_mut(parent)) {
            Some(parent) => {
                parent.items.push(Item::Call(path.to_owned()));
                parent.end = None;
            }
            None => self.roots.push(path.to_owned()),
        }
        self.calls.insert(path.to_owned(), Call { parent, ..call });
    }
}

impl Call {
    fn new(kind: Kind, name: &str, title: &str, started: Timestamp) -> Self {
        Self {
            kind,
            parent: None,
            name: name.to_owned(),
            title: clean(title),
            effect: Effect::Flow,
            arguments: Value::Null,
            started,
            items: Vec::new(),
            end: None,
            tail: VecDeque::new(),
            progress: Vec::new(),
            opened: false,
        }
    }

    /// Keeps a log line in case the call fails.
    pub(super) fn remember(&mut self, line: &str) {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(clean(line));
    }

    /// Notes how far one item is, each item once.
    pub(super) fn advance(&mut self, progress: &Progress) {
        match self.progress.iter_mut().find(|known| known.item == progress.item) {
            Some(known) => known.clone_from(progress),
            None => self.progress.push(progress.clone()),
        }
    }
}

/// Steps, and the blocks the run itself calls at its end, are named by people.
fn is_step(path: &str, name: &str) -> bool {
    name == "step" || path.starts_with("undo.") && name == "undo" || path.starts_with("always.") && name == "always"
}

/// What a branch works on: the item of the list that was given to `parallel`, or the number of the attempt. Those of `rolling`
/// after its hosts are its gate.
fn branch_title(parent: &Call, branch: &str) -> String {
    if parent.name == "retry" {
        return format!("attempt {branch}");
    }
    let items = parent.arguments.as_object().and_then(|arguments| arguments.values().find_map(Value::as_array));
    let index = branch.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let item = items.zip(index).and_then(|(items, index)| items.get(index));
    if parent.name == "rolling" && items.zip(index).is_some_and(|(items, index)| index >= items.len()) {
        return "gate".to_owned();
    }
    item.and_then(name_of).unwrap_or_else(|| format!("branch {branch}"))
}

fn name_of(item: &Value) -> Option<String> {
    let named = ["name", "host", "project", "service"].iter().find_map(|key| item.get(key)?.as_str());
    let text = item.as_str().filter(|text| *text != "|| …").or(named)?;
    Some(text.to_owned())
}
