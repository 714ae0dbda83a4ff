//! The plan that a run follows: it does what was planned at each call, and nothing else.

use std::collections::HashSet;
use std::sync::Mutex;

use super::{Execution, arguments, frame};
use crate::journal::{Plan, PlannedCall, Uncertain};
use crate::primitive::{Call, Change, Effect, Failure, FailureKind, Primitive, as_planned, unknown_within};

/// A plan, and what its run tries again.
pub(super) struct Followed {
    plan: Plan,
    /// The paths of calls whose branches are attempts at the same.
    repeating: Mutex<HashSet<String>>,
}

impl Followed {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, repeating: Mutex::default() }
    }

    /// Notes that the branches of the call at `path` are attempts at the same: what was planned for the first counts for each.
    pub(super) fn repeats(&self, path: &str) {
        self.with(|repeating| repeating.insert(path.to_owned()));
    }

    /// What was planned for the call at `path`.
    fn call(&self, path: &str) -> Option<&PlannedCall> {
        self.plan.call(&self.with(|repeating| of_first_attempts(path, repeating)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashSet<String>) -> T) -> T {
        work(&mut self.repeating.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// The path that the call had, were every attempt that it is in the first.
fn of_first_attempts(path: &str, repeating: &HashSet<String>) -> String {
    let mut first = Vec::new();
    let mut end = 0;
    for part in path.split('.') {
        let is_attempt = end > 0 && repeating.contains(&path[..end]);
        first.push(if is_attempt { "1" } else { part });
        end += part.len() + usize::from(end > 0);
    }
    first.join(".")
}

impl Execution {
    /// Does a run that follows a plan do what was planned at this call, and nothing else? Undo blocks are free.
    pub(super) fn as_planned(
        &self,
        primitive: &dyn Primitive,
        call: &Call,
        path: &str,
        here: &frame::Frame,
    ) -> Result<(), Failure> {
        let Some(followed) = self.follows.as_ref().filter(|_| !path.starts_with("undo.")) else { return Ok(()) };
        if !matches!(primitive.effect(call), Effect::Change | Effect::Destroy) {
            return Ok(());
        }
        let spec = primitive.spec();
        let planned = followed.call(path).filter(|planned| planned.name == spec.qualified_name());
        let arguments = self.redacted(arguments::recorded(spec, call));
        if planned.is_some_and(|planned| {
            unknown_within(&planned.arguments).is_some() && as_planned(&planned.arguments, &arguments)
        }) {
            return Ok(());
        }
        let now = self.predicted(primitive, &self.context(path, here, None), call)?.changes;
        let same =
            planned.is_some_and(|planned| as_planned(&planned.arguments, &arguments) && within(&now, &planned.changes));
        if same || now.is_empty() {
            return Ok(());
        }
        let what: Vec<String> =
            now.iter().map(|change| format!("{} {}", change.action.symbol(), change.what)).collect();
        let hint = match followed.plan.certain_until.as_ref().filter(|_| planned.is_none()) {
            Some(Uncertain { depends_on: Some(what), .. }) => {
                format!("the plan ended before that: it depends on {what}")
            }
            Some(_) => "the plan ended before that".into(),
            None => {
                "since the plan was checked something has changed, or has failed and was caught: a plan takes it that \
                     nothing fails"
                    .into()
            }
        };
        Err(Failure::new(FailureKind::Conflict, format!("`{}` would do what was not planned", primitive.preview(call)))
            .evidence("not in the plan", what.join("\n"))
            .hint(hint))
    }
}

/// Is everything that would be done among what was planned?
fn within(now: &[Change], planned: &[Change]) -> bool {
    let same = |change: &Change, other: &Change| {
        change.what == other.what && (change.action == other.action || other.condition.is_some())
    };
    now.iter().all(|change| planned.iter().any(|other| same(change, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_attempt_a_call_is_in_it_is_known_by_the_first() {
        let repeating: HashSet<String> = ["2", "3.1", "3.1.4.2"].map(str::to_owned).into();
        let cases = [("1", "1"), ("2", "2"), ("2.3.1", "2.1.1"), ("12.3.1", "12.3.1"), ("3.1.4.2.5.6", "3.1.1.2.1.6")];
        for (path, first) in cases {
            assert_eq!(of_first_attempts(path, &repeating), first, "{path}");
        }
    }
}
