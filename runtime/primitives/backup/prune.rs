//! `backup_prune(#{ … })`: what no snapshot needs is removed.

use serde_json::{Value, json};

use super::{Opened, Place, named, size, told, touches};
use crate::drivers::backup::Access;
use crate::primitive::{
    Action, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Recovery, Span,
    Spec, Touches, unknown,
};

crate::options! {
    /// Options of `backup_prune`.
    pub struct Options {
        /// The repository: a `[backup.NAME]` of `runbook.toml`. It may be left out when there is one.
        repository: Option<String>,
        /// How long to wait for others in the repository, and for it to end.
        within: Span = Span::seconds(6 * 60 * 60),
    }
}

/// Removes what nothing needs.
pub struct Prune;

static SPEC: Spec = Spec {
    name: "backup_prune",
    receiver: None,
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Destroy,
    summary: "Removes what no snapshot needs any more, in two steps a day apart, and looks whether everything else is there.",
    example: "backup_prune();",
};

impl Primitive for Prune {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn repositories(&self, call: &Call) -> Vec<Value> {
        vec![named(call, "repository")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let Opened { place, repository, .. } =
            Opened::of(context, options.repository.as_deref(), Access::Alone, options.within)?;
        let pruned = told(context, &repository.meter(), || repository.prune())?;
        let checked = repository.check(false)?;
        if let Some(first) = checked.errors.first() {
            let message = format!("the repository {} is damaged after the prune: {first}", place.name);
            return Err(Failure::new(FailureKind::Check, message).hint("`runbook backup check` lists everything"));
        }
        let value = json!({
            "repository": place.name, "used": pruned.used, "marked": pruned.marked, "removed": pruned.removed,
        });
        let note = format!("{} needed, {} packs marked, {} removed", size(pruned.used), pruned.marked, pruned.removed);
        if pruned.marked == 0 && pruned.removed == 0 {
            return Ok(Outcome::unchanged(value).note(note));
        }
        Ok(Outcome::changed(value).note(note).made([change(&place.name)]))
    }

    /// A prune that was killed is made again, and finds what is left to do.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, "repository")
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let place = Place::of(context, options.repository.as_deref())?;
        let value = json!({
            "repository": place.name, "used": unknown("what is needed"), "marked": unknown("what is not needed"),
            "removed": unknown("what was marked before"),
        });
        Ok(Prediction::one(change(&place.name).only_if("there is something that none needs"), value))
    }
}

fn change(repository: &str) -> Change {
    Change::new(Action::Remove, format!("what no snapshot in {repository} needs"))
}
