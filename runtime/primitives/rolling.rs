//! `rolling`: hosts in batches, a canary first, and one decision for all of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::parallel::{self, Branch};
use super::threads;
use crate::primitive::{
    Arg, BlockRef, Call, Context, Effect, Failure, FailureKind, LogStream, Need, Outcome, Primitive, Reached, Sink,
    Spec, Ty, kind_of,
};

/// `rolling(hosts, #{ … }, |host| …)`: runs a block for every host, a few at a time.
pub struct Rolling;

crate::options! {
    /// Options of `rolling`.
    pub struct Options {
        /// How many hosts at the same time: `"25%"` of all, rounded down, or a number, as in `"2"`.
        batch: String = "25%".into(),
        /// How many hosts go first, before any batch; 0 for none.
        canary: usize = 1,
        /// Run after the canary and after each batch: when it fails or returns `false`, no further batch begins.
        gate: Option<BlockRef>,
        /// How many hosts may fail; one more ends it. A host that fails is put back alone while the others go on.
        max_failures: usize = 0,
        /// When it ends early, put the hosts back that are done. With `false` two versions stay.
        put_back: bool = true,
    }
}

static SPEC: Spec = Spec {
    name: "rolling",
    receiver: None,
    args: &[
        Arg::new(
            "hosts",
            Ty::List,
            "Values for `block`, usually the names of hosts, in the order in which they are to come.",
        ),
        Arg::new(
            "how",
            Ty::Options,
            "How many at a time, and when to stop: `batch`, `canary`, `gate`, `max_failures`, `put_back`.",
        ),
        Arg::new("block", Ty::Block, "Called with each host; its `undo` blocks put that host back."),
    ],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Flow,
    summary: "Run a block for every host, a canary first and then batch by batch; when it stops, every host is put back.",
    example: r#"rolling(["web-1", "web-2"], #{ batch: "25%" }, |name| ssh(name).exec(["deploy"]))"#,
};

impl Primitive for Rolling {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn preview(&self, call: &Call) -> String {
        format!("rolling ×{}", call.args[0].as_array().map_or(0, Vec::len))
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("hosts", "what a block is handed")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let block = call.block(2)?;
        let items = call.args[0].as_array().cloned().unwrap_or_default();
        let names = items.iter().enumerate().map(|(index, item)| name_of(item, index)).collect();
        let batches = options.batches(items.len())?;
        let count = items.len();
        let branches: Vec<Branch> = items.into_iter().map(|item| Branch::of(block, item)).collect();
        let mut fleet = Fleet {
            context,
            names,
            branches,
            options,
            hosts: vec![Host::NotReached; count],
            values: vec![Value::Null; count],
        };
        for (number, batch) in batches.iter().enumerate() {
            if let Err(failure) = fleet.go(batch).and_then(|()| fleet.pass_gate(call, number)) {
                return Err(fleet.stop(failure));
            }
        }
        fleet.recap();
        Ok(Outcome::from(Value::Array(fleet.values)))
    }
}

/// What became of a host.
#[derive(Clone, Debug)]
enum Host {
    NotReached,
    Done,
    Failed(String),
    PutBack,
    FailedAndPutBack(String),
    NotPutBack(String),
}

/// What the blocks of a batch returned, by the places of their hosts.
type Results = Vec<(usize, Result<Value, Failure>)>;

struct Fleet<'a> {
    context: &'a Context<'a>,
    names: Vec<String>,
    branches: Vec<Branch>,
    options: Options,
    hosts: Vec<Host>,
    values: Vec<Value>,
}

impl Fleet<'_> {
    /// One batch to its end. Hosts that fail within the limit are put back, and the others count.
    fn go(&mut self, batch: &[usize]) -> Result<(), Failure> {
        let results = self.run(batch)?;
        let mut first = None;
        for (index, result) in results {
            match result {
                Ok(value) => (self.hosts[index], self.values[index]) = (Host::Done, value),
                // Nobody decides for a run that stands still, was told to stop, or leaves the block by `return`.
                Err(failure) if failure.is_passing_through() => return Err(failure),
                Err(failure) if self.context.is_to_stop() => return Err(failure),
                Err(failure) => {
                    self.hosts[index] = Host::Failed(failure.message.clone());
                    self.context.log(LogStream::Warn, &format!("{} failed: {}", self.names[index], failure.message));
                    first.get_or_insert(failure);
                }
            }
        }
        let Some(failure) = first else { return Ok(()) };
        if self.context.planning || self.failures() > self.options.max_failures {
            return Err(failure);
        }
        for index in batch.iter().rev().copied() {
            if matches!(self.hosts[index], Host::Failed(_)) {
                self.put_back(index)?;
            }
        }
        Ok(())
    }

    fn failures(&self) -> usize {
        self.hosts.iter().filter(|host| !matches!(host, Host::NotReached | Host::Done)).count()
    }

    fn run(&self, batch: &[usize]) -> Result<Results, Failure> {
        let context = self.context;
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        let work = || {
            while let Some(index) = batch.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                // What was gone into by a process that died is gone through again: it may have undo blocks to register.
                let is_new = context.services.reached(context.path, index + 1) != Reached::Yes;
                if is_new && context.is_to_stop() {
                    continue;
                }
                let result = parallel::run(context, index, &self.branches[index], &context.cancel);
                if let Ok(mut results) = results.lock() {
                    results.push((index, result));
                }
            }
        };
        // A plan is told in the order of the script.
        let at_once = if context.planning { 1 } else { batch.len() };
        threads::beside_each_other(at_once, work, || ())?;
        let mut results = results.into_inner().unwrap_or_default();
        results.sort_by_key(|(index, _)| *index);
        // Some were not begun.
        if results.len() < batch.len() {
            self.context.still_wanted()?;
        }
        Ok(results)
    }

    fn pass_gate(&self, call: &Call, number: usize) -> Result<(), Failure> {
        let Some(gate) = self.options.gate.and_then(|gate| call.resolve(gate)) else { return Ok(()) };
        let mut result = Ok(Value::Null);
        let branch = self.hosts.len() + number + 1;
        self.context.services.in_branch(self.context.path, branch, &self.context.cancel, &mut || {
            result = gate.call(Vec::new());
        });
        match result? {
            Value::Bool(false) => Err(Failure::new(FailureKind::Check, "the gate of `rolling` did not open")),
            _ => Ok(()),
        }
    }

    /// The decision for all: those that are done go back as well, the last first, so that no two versions stay.
    fn stop(&mut self, failure: Failure) -> Failure {
        if failure.is_passing_through() || self.context.is_to_stop() || self.context.planning {
            return failure;
        }
        for index in (0..self.hosts.len()).rev() {
            match self.hosts[index] {
                Host::Done if !self.options.put_back => self.context.services.keep(self.context.path, index + 1),
                Host::Done | Host::Failed(_) => {
                    if let Err(halted) = self.put_back(index) {
                        return halted;
                    }
                }
                Host::NotReached | Host::PutBack | Host::FailedAndPutBack(_) | Host::NotPutBack(_) => {}
            }
        }
        self.recap();
        let failed =
            self.hosts.iter().filter(|host| matches!(host, Host::Failed(_) | Host::FailedAndPutBack(_))).count();
        let count = self.hosts.len();
        if failed > 0 {
            let said =
                format!("{failed} of {count} hosts failed, {} may: no further one is begun", self.options.max_failures);
            self.context.log(LogStream::Warn, &said);
        }
        failure
    }

    /// Runs the undo blocks of one host. Fails only when the run comes to a stand.
    fn put_back(&mut self, index: usize) -> Result<(), Failure> {
        let result = self.context.services.put_back(self.context.path, index + 1);
        self.hosts[index] = match (result, std::mem::replace(&mut self.hosts[index], Host::NotReached)) {
            (Err(halted), _) if halted.kind == FailureKind::Halted => return Err(halted),
            (Err(problem), _) => Host::NotPutBack(problem.message),
            (Ok(0), before) => before,
            (Ok(_), Host::Failed(why)) => Host::FailedAndPutBack(why),
            (Ok(_), _) => Host::PutBack,
        };
        Ok(())
    }

    /// One line a host.
    fn recap(&self) {
        let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        for (name, host) in self.names.iter().zip(&self.hosts) {
            let said = match host {
                Host::NotReached => "not reached".to_owned(),
                Host::Done => "done".to_owned(),
                Host::Failed(why) => format!("failed: {why}"),
                Host::PutBack => "put back".to_owned(),
                Host::FailedAndPutBack(why) => format!("failed, put back: {why}"),
                Host::NotPutBack(why) => format!("NOT put back: {why}"),
            };
            let line: String = format!("{name:width$}  {said}").chars().take(100).collect();
            let is_bad = matches!(host, Host::NotPutBack(_));
            self.context.log(if is_bad { LogStream::Warn } else { LogStream::Info }, &line);
        }
    }
}

impl Options {
    /// The places of the hosts, batch by batch.
    fn batches(&self, count: usize) -> Result<Vec<Vec<usize>>, Failure> {
        let wrong = || {
            Failure::new(
                FailureKind::Option,
                format!("option `batch` must be a share or a number, got {:?}", self.batch),
            )
            .hint("write \"25%\" or \"2\"")
        };
        let size = match self.batch.strip_suffix('%') {
            Some(percent) => {
                let percent: usize =
                    percent.trim().parse().ok().filter(|percent| (1..=100).contains(percent)).ok_or_else(wrong)?;
                (count * percent / 100).max(1)
            }
            None => self.batch.trim().parse().ok().filter(|size| *size > 0).ok_or_else(wrong)?,
        };
        let all: Vec<usize> = (0..count).collect();
        let (canaries, rest) = all.split_at(self.canary.min(count));
        let canaries = (!canaries.is_empty()).then(|| canaries.to_vec());
        Ok(canaries.into_iter().chain(rest.chunks(size).map(<[usize]>::to_vec)).collect())
    }
}

/// What people call a host.
fn name_of(item: &Value, index: usize) -> String {
    let name = match item {
        Value::String(text) => Some(text.as_str()),
        Value::Object(map) if kind_of(item).is_some() || map.contains_key("name") => {
            map.get("name").and_then(Value::as_str)
        }
        _ => None,
    };
    name.map_or_else(|| format!("host {}", index + 1), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn a_canary_goes_before_batches_of_a_share_or_a_number() {
        let batches = |batch: &str, canary, count| {
            let options = Options { batch: batch.into(), canary, ..Options::default() };
            options.batches(count).map(|batches| batches.iter().map(Vec::len).collect::<Vec<_>>()).ok()
        };
        assert_eq!(batches("25%", 1, 9), Some(vec![1, 2, 2, 2, 2]));
        assert_eq!(batches("25%", 0, 3), Some(vec![1, 1, 1]));
        assert_eq!(batches("3", 1, 6), Some(vec![1, 3, 2]));
        assert_eq!(batches("100%", 2, 2), Some(vec![2]));
        assert_eq!(batches("50%", 1, 0), Some(vec![]));
        for wrong in ["", "0", "0%", "101%", "x", "-1"] {
            assert_eq!(batches(wrong, 1, 4), None, "{wrong}");
        }
    }
}
