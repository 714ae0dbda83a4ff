//! `backup_copy(to, #{ … })`: snapshots are copied into another repository.

use serde_json::{Value, json};

use super::{Place, named, told, wanted};
use crate::drivers::backup::{Snapshot, find};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Recovery,
    Span, Spec, Touches, Ty, text_of, unknown,
};

crate::options! {
    /// Options of `backup_copy`.
    pub struct Options {
        /// The repository to copy from: a `[backup.NAME]` of `runbook.toml`.
        from: Option<String>,
        /// The first digits of snapshots, or `"latest"`; all of them when left out.
        snapshots: Vec<String>,
        /// Only those of this job, also as `"latest"`; the project's name is meant by `"latest"` when left out.
        job: Option<String>,
        /// How long everything may take.
        within: Span = Span::seconds(6 * 60 * 60),
    }
}

/// Copies snapshots.
pub struct Copy;

static SPEC: Spec = Spec {
    name: "backup_copy",
    receiver: None,
    args: &[Arg::new("to", Ty::Str, "The repository to copy to: a `[backup.NAME]` of `runbook.toml`.")],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Copies snapshots into another repository, as far as they are missing there, and looks whether all of it came.",
    example: r#"backup_copy("offsite", #{ from: "main" });"#,
};

impl Primitive for Copy {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn repositories(&self, call: &Call) -> Vec<Value> {
        vec![named(call, "from"), call.args.first().cloned().unwrap_or_default()]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let (from, to) = places(context, call, &options)?;
        let repository = from.open(context, wanted(context, options.within))?;
        let all = from.reconcile(context, &repository)?;
        let job = options.job.as_deref().unwrap_or(context.project.name());
        let chosen: Vec<Snapshot> = if options.snapshots.is_empty() {
            all.into_iter().filter(|one| options.job.as_ref().is_none_or(|job| one.group() == *job)).collect()
        } else {
            options.snapshots.iter().map(|name| find(all.clone(), name, job)).collect::<Result<_, _>>()?
        };
        let ids: Vec<String> = chosen.into_iter().map(|snapshot| snapshot.id).collect();
        let there = to.open(context, wanted(context, options.within))?;
        let copied = told(context, &there.meter(), || repository.copy(there, &ids))?;
        if let Some(catalogue) = context.services.catalogue() {
            ids.iter().try_for_each(|id| catalogue.note_copy(&from.name, id, &to.name))?;
        }
        let value = json!({
            "repository": to.name, "copied": copied.iter().map(|one| &one.id).collect::<Vec<_>>(),
            "there": ids.len() - copied.len(),
        });
        let note = format!("{} copied, {} were there", copied.len(), ids.len() - copied.len());
        if copied.is_empty() {
            return Ok(Outcome::unchanged(value).note(note));
        }
        Ok(Outcome::changed(value).note(note).made([change(&from, &to)]))
    }

    /// What was copied before is found there.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        let to = text_of(call.args.first());
        Place::of(context, Some(&to)).map_or(Touches::Nothing, |place| place.touches(context))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let (from, to) = places(context, call, &options)?;
        let value = json!({
            "repository": to.name, "copied": unknown("the names of the copies"), "there": unknown("what is there"),
        });
        Ok(Prediction::one(change(&from, &to), value))
    }
}

fn places(context: &Context<'_>, call: &Call, options: &Options) -> Result<(Place, Place), Failure> {
    let to = call.args.first().and_then(Value::as_str).unwrap_or_default();
    let from = options.from.as_deref().ok_or_else(|| {
        Failure::new(FailureKind::Option, "copied from where? the option `from` names the repository")
    })?;
    let (from, to) = (Place::of(context, Some(from))?, Place::of(context, Some(to))?);
    if from.name == to.name {
        let message = format!("the snapshots of {} are there already: the option `from` names another one", to.name);
        return Err(Failure::new(FailureKind::Option, message));
    }
    Ok((from, to))
}

fn change(from: &Place, to: &Place) -> Change {
    Change::new(Action::Create, format!("snapshots of {} in {}", from.name, to.name))
}
