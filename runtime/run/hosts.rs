//! How many machines a run works on at the same time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::Execution;
use crate::drivers::docker::OVER_SSH;
use crate::policy::POLICY_FILE;
use crate::primitive::{Call, Effect, Failure, FailureKind, NeedKind, Primitive};

/// The machines that calls are at work on, each with how many calls.
pub(super) type AtWork = Mutex<BTreeMap<String, usize>>;

/// A call at work on its machines, until this is dropped.
pub(super) struct Working<'a> {
    run: &'a Execution,
    hosts: Vec<String>,
    /// The host where everything happens that the call does, and how often it was spoken to before.
    place: Option<(String, u64)>,
}

impl Working<'_> {
    /// A failure of the call, which says so where its host was not even spoken to: then it changed nothing there.
    pub fn judged(&self, failure: Failure) -> Failure {
        match &self.place {
            _ if matches!(failure.kind, FailureKind::Halted | FailureKind::Control) => failure,
            Some((host, before)) if self.run.drivers.ssh().spoken_to(host) == *before => {
                Failure { nothing_begun: true, ..failure.hint(format!("nothing was begun on `{host}`")) }
            }
            _ => failure,
        }
    }
}

/// How long all hosts may take to tidy up what is left of the run's last commands.
const TIDYING: Duration = Duration::from_secs(30);

/// Ends the sessions that hosts keep for the run's next command.
pub(super) fn settle(run: &Execution) {
    let settling = run.drivers.ssh().settle_all();
    let _ = run.drivers.block_on(async { tokio::time::timeout(TIDYING, settling).await });
}

/// The host where a call changes everything that it changes.
fn place<'a>(primitive: &dyn Primitive, call: &'a Call) -> Option<&'a str> {
    let is_change = matches!(primitive.effect(call), Effect::Change | Effect::Destroy);
    match primitive.spec().receiver.filter(|_| is_change)? {
        "ssh" => Some(call.receiver_str("name")),
        "compose" => call.receiver_str("engine").strip_prefix(OVER_SSH),
        "docker" => call.receiver_str("host").strip_prefix(OVER_SSH),
        _ => None,
    }
}

/// Counts the machines of a call in, or refuses it where that would be too many at once.
pub(super) fn enter<'a>(run: &'a Execution, primitive: &dyn Primitive, call: &Call) -> Result<Working<'a>, Failure> {
    let needs = run.needs(primitive, call).into_iter().filter(|need| need.kind == NeedKind::Host);
    let hosts: Vec<String> = needs.map(|need| need.what).collect();
    let place = place(primitive, call).map(|host| (host.to_owned(), run.drivers.ssh().spoken_to(host)));
    let Ok(mut at_work) = run.at_work.lock() else { return Ok(Working { run, hosts: Vec::new(), place }) };
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
    Ok(Working { run, hosts, place })
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
