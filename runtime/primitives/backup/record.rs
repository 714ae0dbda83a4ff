//! `backup_drill_record(evidence, #{ … })`: how a drill ended, for its history.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Place, named};
use crate::primitive::{
    Action, Arg, Call, Catalogue, Change, Context, Drill, Effect, Failure, FailureKind, Need, Outcome, Prediction,
    Primitive, ProofKind, Recovery, Spec, Touches, Ty,
};

crate::options! {
    /// Options of `backup_drill_record`.
    pub struct Options {
        /// The repository: a `[backup.NAME]` of `runbook.toml`. It may be left out when there is one.
        repository: Option<String>,
    }
}

/// Records a drill.
pub struct Record;

static SPEC: Spec = Spec {
    name: "backup_drill_record",
    receiver: None,
    args: &[Arg::new(
        "evidence",
        Ty::Map,
        "What was found: `drill`, `job`, `began`, `ok` and all that is to be known.",
    )],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Records how a restore drill ended, well or not: its history, and what is measured against its budget.",
    example: r#"backup_drill_record(#{ drill: "drill-1", job: "shop", began: now().iso, ok: false, failure: "no snapshot" });"#,
};

/// What has to be in the evidence.
#[derive(Deserialize)]
struct Told {
    drill: String,
    job: String,
    began: Timestamp,
    ok: bool,
    #[serde(default)]
    failure: String,
    #[serde(default)]
    snapshot: String,
    #[serde(default)]
    recovery_time_ms: u64,
    #[serde(default)]
    recovery_point: i64,
}

impl Primitive for Record {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    /// It opens none; but only whoever may open it says how its snapshots fared.
    fn repositories(&self, call: &Call) -> Vec<Value> {
        vec![named(call, "repository")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let place = Place::of(context, options.repository.as_deref())?;
        let evidence = call.args.first().cloned().unwrap_or_default();
        let told = read(&evidence)?;
        let catalogue = context.services.catalogue().ok_or_else(|| {
            Failure::new(FailureKind::System, "there is no run log in which a drill could be recorded")
        })?;
        if told.ok {
            proven(catalogue, &place, &told.snapshot, context.run.started_at)?;
        }
        let note = format!("{} {}", told.job, if told.ok { "ok" } else { "failed" });
        catalogue.note_drill(&Drill {
            name: told.drill,
            repository: place.name.clone(),
            job: told.job,
            snapshot: told.snapshot,
            run: context.run.id,
            at: told.began,
            ok: told.ok,
            failure: told.failure,
            recovery_time: told.recovery_time_ms,
            recovery_point: told.recovery_point,
            evidence,
        })?;
        Ok(Outcome::changed(Value::Null).note(note).made([change(&place.name)]))
    }

    /// A drill of one name is recorded once.
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
        Ok(Prediction::one(change(&place.name), Value::Null))
    }
}

fn read(evidence: &Value) -> Result<Told, Failure> {
    let told: Told = serde_json::from_value(evidence.clone()).map_err(|error| {
        let why = error.to_string();
        let why = why.split(" at line").next().unwrap_or_default();
        Failure::new(FailureKind::Argument, format!("argument `evidence`: {why}"))
            .hint("it needs `drill`, a name of its own, `job`, `began`, a time, and `ok`")
    })?;
    if told.ok && told.snapshot.is_empty() {
        return Err(Failure::new(
            FailureKind::Argument,
            "argument `evidence`: a drill that went well has a `snapshot`",
        ));
    }
    Ok(told)
}

/// Nobody can claim that a drill went well: this very run noted of the snapshot that it was tried out.
fn proven(catalogue: &dyn Catalogue, place: &Place, snapshot: &str, since: Timestamp) -> Result<(), Failure> {
    let known = catalogue.snapshots(&place.name)?;
    let proofs = known.iter().filter(|row| row.id == snapshot).flat_map(|row| &row.proofs);
    if proofs.into_iter().any(|proof| proof.how == ProofKind::Drilled && proof.at >= since) {
        return Ok(());
    }
    let short = snapshot.get(..8).unwrap_or(snapshot);
    let message = format!("this run did not note that snapshot {short} of {} was drilled", place.name);
    Err(Failure::new(FailureKind::Refused, message).hint("`backup_drilled` does, of what this run restored"))
}

fn change(repository: &str) -> Change {
    Change::new(Action::Create, format!("a drill in the history of {repository}"))
}
