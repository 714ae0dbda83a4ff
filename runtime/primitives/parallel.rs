use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::threads;
use crate::primitive::{
    Arg, BlockRef, Call, Cancel, CancelReason, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive,
    Reached, Sink, Spec, Ty,
};

/// `parallel(items, |item| …)`: runs a block for every item, or a list of blocks, at the same time.
pub struct Parallel;

crate::options! {
    /// Options of `parallel`.
    pub struct Options {
        /// How many at the same time.
        limit: usize = 8,
    }
}

static SPEC: Spec = Spec {
    name: "parallel",
    receiver: None,
    args: &[
        Arg::new("items", Ty::List, "A list of closures, or a list of values for `block`."),
        Arg::optional("block", Ty::Block, "Called with each item."),
    ],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Flow,
    summary: "Run blocks at the same time and return their values in order; the first failure stops the rest.",
    example: "parallel([\"api\", \"bot\"], |name| app.pull(#{ services: [name] }))",
};

type Results = Vec<Option<Result<Value, Failure>>>;

impl Primitive for Parallel {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn preview(&self, call: &Call) -> String {
        format!("parallel ×{}", call.args[0].as_array().map_or(0, Vec::len))
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("items", "what a block is handed")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        // A plan is told in the order of the script.
        let limit = NonZeroUsize::new(if context.planning { options.limit.min(1) } else { options.limit })
            .ok_or_else(|| Failure::new(FailureKind::Option, "`parallel`: `limit` must be at least 1"))?;
        let branches = branches(call)?;
        // A branch in which something was done before is gone through again in any case: it may have undo blocks to register.
        let reached = |index| context.services.reached(context.path, index + 1) == Reached::Yes;
        let had_ended = context.had_ended();
        let gone_into: Vec<bool> = (0..branches.len()).map(|index| had_ended || reached(index)).collect();
        let together = context.cancel.child();
        let results: Mutex<Results> = Mutex::new(branches.iter().map(|_| None).collect());
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((index, branch)) = take(&next, &branches) {
                if together.reason().is_some() && !gone_into[index] {
                    continue;
                }
                let result = run(context, index, branch, &together);
                let failed = result.as_ref().is_err_and(stops_the_rest);
                if let Ok(mut results) = results.lock() {
                    results[index] = Some(result);
                }
                if failed {
                    together.cancel(CancelReason::Sibling);
                }
            }
        };
        let stop = || together.cancel(CancelReason::Sibling);
        threads::beside_each_other(limit.get().min(branches.len()), work, stop)?;
        let results = results.into_inner().unwrap_or_default();
        collect(results, context).map(Outcome::from)
    }
}

/// What runs beside others.
pub(super) struct Branch {
    block: std::sync::Arc<dyn crate::primitive::Block>,
    arguments: Vec<Value>,
}

impl Branch {
    /// A block with private copies of what its closure captured, and the value it is called with.
    pub(super) fn of(block: &std::sync::Arc<dyn crate::primitive::Block>, item: Value) -> Self {
        Self { block: block.detached(), arguments: vec![item] }
    }
}

/// Every branch gets private copies of what its closure captured.
fn branches(call: &Call) -> Result<Vec<Branch>, Failure> {
    let items = call.args[0].as_array().cloned().unwrap_or_default();
    let shared = call.optional(1).map(|_| call.block(1)).transpose()?;
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            if let Some(block) = shared {
                return Ok(Branch::of(block, item));
            }
            let block = BlockRef::from_value(&item).and_then(|reference| call.resolve(reference));
            let block = block.ok_or_else(|| {
                Failure::new(FailureKind::Argument, format!("`parallel`: item {} is not a closure", index + 1))
                    .hint("give a list of closures, or a list of values and one closure that takes a value")
            })?;
            Ok(Branch { block: block.detached(), arguments: Vec::new() })
        })
        .collect()
}

fn take<'a>(next: &AtomicUsize, branches: &'a [Branch]) -> Option<(usize, &'a Branch)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    branches.get(index).map(|branch| (index, branch))
}

/// Runs a branch; its number counts from 1.
pub(super) fn run(context: &Context<'_>, index: usize, branch: &Branch, cancel: &Cancel) -> Result<Value, Failure> {
    let mut result = Ok(Value::Null);
    context.services.in_branch(context.path, index + 1, cancel, &mut || {
        result = branch.block.call(branch.arguments.clone());
    });
    result
}

/// A run that stands still in one branch lets the others finish their calls: none is cut short for it.
fn stops_the_rest(failure: &Failure) -> bool {
    !matches!(failure.kind, FailureKind::Control | FailureKind::Halted)
}

/// The values in order; or the failure that stopped the rest, not the cancellations it caused. A branch that stands still
/// leaves the end of all of them open.
fn collect(results: Results, context: &Context<'_>) -> Result<Value, Failure> {
    let halted = results
        .iter()
        .flatten()
        .find_map(|result| result.as_ref().err().filter(|failure| failure.kind == FailureKind::Halted).cloned());
    if let Some(failure) = halted {
        return Err(failure);
    }
    let mut values = Vec::with_capacity(results.len());
    let mut first: Option<Failure> = None;
    for result in results {
        match result {
            Some(Ok(value)) => values.push(value),
            Some(Err(failure)) => {
                let replaces = first.as_ref().is_none_or(|first| first.kind == FailureKind::Cancelled);
                if replaces && (first.is_none() || failure.kind != FailureKind::Cancelled) {
                    first = Some(failure);
                }
            }
            // Told to stop before it began.
            None => first = first.or(context.still_wanted().err()),
        }
    }
    first.map_or(Ok(Value::Array(values)), Err)
}
