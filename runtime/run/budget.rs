//! How much a run may do at most, and what it has done of it.

use super::replay::Replay;
use super::{Execution, frame};
use crate::policy::Spent;
use crate::primitive::{Call, Change, Effect, Failure, FailureKind, Primitive};

/// What the calls of an earlier process came to.
pub(super) fn spent(replay: &Replay) -> Spent {
    replay.changes().map(Spent::on).fold(Spent::default(), Spent::and)
}

/// Refuses a call that would do more than is left: what it would change is looked at before it changes anything.
pub(super) fn within(
    run: &Execution,
    primitive: &'static dyn Primitive,
    call: &Call,
    path: &str,
    here: &frame::Frame,
) -> Result<(), Failure> {
    let budget = run.policy.budget();
    let changes_something = matches!(primitive.effect(call), Effect::Change | Effect::Destroy);
    let engine_only = primitive.needs(call).iter().any(|need| need.verb.is_some());
    if !budget.limits_anything() || !changes_something || !engine_only {
        return Ok(());
    }
    let foreseen = primitive.predict(&run.context(path, here, None), call)?;
    let before = run.spent.lock().map(|spent| *spent).unwrap_or_default();
    match budget.exceeded_by(before.and(Spent::on(&foreseen.changes))) {
        None => Ok(()),
        Some(excess) => {
            let message = format!("`{}` would go beyond the budget of this run: {excess}", primitive.preview(call));
            let failure = Failure::new(FailureKind::Refused, message)
                .hint("`@budget` in the header and `budget` in policy.toml say how much it may do")
                .hint("in a protected environment no volume is removed unless policy.toml says `budget = { volumes = 1 }`");
            Err(Failure { nothing_begun: true, ..failure })
        }
    }
}

/// Counts what a call changed.
pub(super) fn count(run: &Execution, changes: &[Change]) {
    if let Ok(mut spent) = run.spent.lock() {
        *spent = spent.and(Spent::on(changes));
    }
}
