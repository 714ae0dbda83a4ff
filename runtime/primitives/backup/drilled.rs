//! `backup_drilled(restored)`: what this run restored was tried out, and is good.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Place, named};
use crate::primitive::{
    Action, Arg, Call, Catalogued, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive,
    Proof, ProofKind, Recovery, Spec, Touches, Ty, unknown,
};

crate::options! {
    /// Options of `backup_drilled`.
    pub struct Options {
        /// The repository: a `[backup.NAME]` of `runbook.toml`. It may be left out when there is one.
        repository: Option<String>,
    }
}

/// Notes a drill.
pub struct Drilled;

static SPEC: Spec = Spec {
    name: "backup_drilled",
    receiver: None,
    args: &[Arg::new("restored", Ty::Map, "What `restore` returned in this run.")],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Notes that a snapshot which this run restored was tried out and is good: a restore drill.",
    example: r#"backup_drilled(restore("latest", "drill"));"#,
};

impl Primitive for Drilled {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    /// It opens none; but only whoever may open it says that its snapshots are good.
    fn repositories(&self, call: &Call) -> Vec<Value> {
        vec![named(call, "repository")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let place = Place::of(context, options.repository.as_deref())?;
        let id = call.args.first().and_then(|restored| restored.get("snapshot")?.as_str()).ok_or_else(|| {
            Failure::new(
                FailureKind::Argument,
                "argument `restored` is a map without `snapshot`: `restore` returns one",
            )
        })?;
        let catalogue = context
            .services
            .catalogue()
            .ok_or_else(|| Failure::new(FailureKind::System, "there is no run log in which a drill could be noted"))?;
        let known = catalogue.snapshots(&place.name)?.into_iter().find(|row| row.id == id);
        let short = id.get(..8).unwrap_or(id);
        let restored = |row: &Catalogued| {
            let proofs = row.proofs.iter().filter(|proof| proof.how == ProofKind::Restored);
            proofs.map(|proof| proof.at).max().filter(|at| *at >= context.run.started_at)
        };
        let Some((row, restored)) = known.and_then(|row| restored(&row).map(|at| (row, at))) else {
            let message = format!("this run did not restore snapshot {short} of {}", place.name);
            return Err(Failure::new(FailureKind::Refused, message).hint("restore it first, and try out what is there"));
        };
        if row.is_partial() {
            let message =
                format!("snapshot {short} of {} is partial: that it is good proves nothing of the job", place.name);
            return Err(Failure::new(FailureKind::Refused, message).hint("drill one that is whole"));
        }
        let now = Timestamp::now();
        catalogue.note_proof(&place.name, &[id], Proof { how: ProofKind::Drilled, at: now })?;
        let value = json!({
            "snapshot": id, "job": row.job, "point_seconds": now.duration_since(row.at).as_secs(),
            "trial_seconds": now.duration_since(restored).as_secs(),
        });
        let hours = now.duration_since(row.at).as_hours();
        Ok(Outcome::changed(value).note(format!("{short} of {}, {hours}h old", row.job)).made([change(&place.name)]))
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, _: &Context<'_>, _: &Call) -> Touches {
        Touches::Nothing
    }

    fn foresees(&self, _: &Call) -> bool {
        true
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let place = Place::of(context, options.repository.as_deref())?;
        let known = |what: &str| unknown(format!("the {what} of the drill"));
        let value: Value = json!({
            "snapshot": known("snapshot"), "job": known("job"), "point_seconds": known("recovery point"),
            "trial_seconds": known("time"),
        });
        Ok(Prediction::one(change(&place.name), value))
    }
}

fn change(repository: &str) -> Change {
    Change::new(Action::Update, format!("what the run log knows of drills of {repository}"))
}
