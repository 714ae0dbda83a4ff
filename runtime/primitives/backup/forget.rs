//! `backup_forget(#{ … })`: snapshots that no rule keeps go.

use serde_json::{Value, json};

use super::{Opened, Place, named, touches};
use crate::drivers::backup::Access;
use crate::primitive::{
    Action, Call, Change, Context, Effect, Failure, Need, Outcome, Prediction, Primitive, Recovery, Span, Spec,
    Touches, judge, unknown,
};

crate::options! {
    /// Options of `backup_forget`.
    pub struct Options {
        /// The repository: a `[backup.NAME]` of `runbook.toml`. It may be left out when there is one.
        repository: Option<String>,
        /// Only snapshots of this job.
        job: Option<String>,
        /// How long to wait for others in the repository, and for it to end.
        within: Span = Span::seconds(60 * 60),
    }
}

/// Forgets snapshots.
pub struct Forget;

static SPEC: Spec = Spec {
    name: "backup_forget",
    receiver: None,
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Destroy,
    summary: "Forgets the snapshots that no rule of `keep` keeps, unless the last backup of their job failed or a clock is wrong.",
    example: r#"backup_forget(#{ job: "shop" });"#,
};

impl Primitive for Forget {
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
        let Opened { place, repository, snapshots } =
            Opened::of(context, options.repository.as_deref(), Access::Alone, options.within)?;
        let catalogue = context.services.catalogue();
        let judgement = judge(catalogue, context.project, &place.name, snapshots, options.job.as_deref())?;
        let gone = judgement.carry_out(&repository, catalogue, &place.name)?;
        let kept = judgement.all.len() - gone.len();
        let reasons: Vec<Value> = judgement
            .all
            .iter()
            .map(|judged| {
                json!({ "id": judged.snapshot.id, "job": judged.snapshot.group(),
                                  "kept_by": judged.verdict.kept_by, "dropped_by": judged.verdict.dropped_by })
            })
            .collect();
        let value = json!({ "repository": place.name, "forgotten": gone, "kept": kept, "decisions": reasons });
        let note = format!("{} forgotten, {kept} kept", gone.len());
        if gone.is_empty() {
            return Ok(Outcome::unchanged(value).note(note));
        }
        Ok(Outcome::changed(value).note(note).made([change(&place.name, options.job.as_deref())]))
    }

    /// What goes is decided by what is there.
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
            "repository": place.name, "forgotten": unknown("what no rule keeps"), "kept": unknown("how many stay"),
            "decisions": unknown("what rules say"),
        });
        let change = change(&place.name, options.job.as_deref());
        Ok(Prediction::one(change.only_if("there is one that no rule keeps"), value))
    }
}

fn change(repository: &str, job: Option<&str>) -> Change {
    let of = job.map(|job| format!(" of {job}")).unwrap_or_default();
    Change::new(Action::Remove, format!("snapshots{of} in {repository} that no rule keeps"))
}
