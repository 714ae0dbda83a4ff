//! How many machines a run works on at the same time.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::Execution;
use crate::policy::POLICY_FILE;
use crate::primitive::{Call, Failure, FailureKind, NeedKind, Primitive};

/// The machines that calls are at work on, each with how many calls.
pub(super) type AtWork = Mutex<BTreeMap<String, usize>>;

/// A call at work on its machines, until this is dropped.
pub(super) struct Working<'a> {
    run: &'a Execution,
    hosts: Vec<String>,
}

/// Counts the machines of a call in, or refuses it where that would be too many at once.
pub(super) fn enter<'a>(run: &'a Execution, primitive: &dyn Primitive, call: &Call) -> Result<Working<'a>, Failure> {
    let needs = run.needs(primitive, call).into_iter().filter(|need| need.kind == NeedKind::Host);
    let hosts: Vec<String> = needs.map(|need| need.what).collect();
    let Ok(mut at_work) = run.at_work.lock() else { return Ok(Working { run, hosts: Vec::new() }) };
    let new = hosts.iter().filter(|host| !at_work.contains_key(*host)).count();
    if let Some(most) = run.policy.max_hosts().filter(|most| new > 0 && at_work.len() + new > *most) {
        let others = at_work.keys().cloned().collect::<Vec<_>>().join(", ");
        let message = format!(
            "`{}` would be at work on {} machines at the same time, and {POLICY_FILE} allows {most}",
            primitive.preview(call),
            at_work.len() + new,
        );
        return Err(Failure::new(FailureKind::Refused, message)
            .hint(format!("at work on {others} now: give `parallel` the option `limit: {most}`")));
    }
    for host in &hosts {
        *at_work.entry(host.clone()).or_default() += 1;
    }
    Ok(Working { run, hosts })
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let Ok(mut at_work) = self.run.at_work.lock() else { return };
        for host in &self.hosts {
            if let Some(calls) = at_work.get_mut(host) {
                *calls -= 1;
                if *calls == 0 {
                    at_work.remove(host);
                }
            }
        }
    }
}
