//! `backup_check(#{ … })`: is everything there, and as it was written?

use serde_json::{Value, json};

use super::{Opened, named, told, touches};
use crate::drivers::backup::{Access, Damaged, PARTS};
use crate::primitive::{
    Call, CheckScope, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Span, Spec, Touches,
    check_and_note, unknown,
};

crate::options! {
    /// Options of `backup_check`.
    pub struct Options {
        /// The repository: a `[backup.NAME]` of `runbook.toml`. It may be left out when there is one.
        repository: Option<String>,
        /// Read all data, and not only the part whose turn it is.
        all: bool = false,
        /// How long everything may take.
        within: Span = Span::seconds(6 * 60 * 60),
    }
}

/// Checks a repository.
pub struct Check;

static SPEC: Spec = Spec {
    name: "backup_check",
    receiver: None,
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Looks whether everything is there that snapshots need, and reads a part of the data: all of it in a month. Fails when \
              something is damaged.",
    example: r#"backup_check(#{ repository: "main" });"#,
};

impl Primitive for Check {
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
            Opened::of(context, options.repository.as_deref(), Access::Shared, options.within)?;
        let scope = if options.all { CheckScope::All } else { CheckScope::Due };
        let checking = || check_and_note(context.services.catalogue(), &place.name, &repository, scope);
        let (checked, read, advice) = told(context, &repository.meter(), checking)?;
        let Some(first) = checked.errors.first() else {
            let value = json!({ "repository": place.name, "snapshots": snapshots.len(), "parts_read": read });
            return Ok(Outcome::unchanged(value).note(format!("whole; {read} of {PARTS} parts of the data read")));
        };
        let message = format!("the repository {} is damaged: {first}", place.name);
        let failure = Failure::new(FailureKind::Check, message)
            .evidence("damage", checked.errors.join("\n"))
            .evidence("snapshots that need what is damaged", described(&checked.damaged));
        Err(advice.into_iter().fold(failure, Failure::hint))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, "repository")
    }

    fn predict(&self, _: &Context<'_>, _: &Call) -> Result<Prediction, Failure> {
        let known = |what: &str| unknown(format!("the {what} of the repository"));
        let value: Value = json!({
            "repository": known("name"), "snapshots": known("snapshots"), "parts_read": known("parts"),
        });
        Ok(Prediction { value, changes: Vec::new() })
    }

    fn observed(&self, _: &Call, result: &Value) -> Value {
        result.get("repository").cloned().unwrap_or_default()
    }
}

fn described(damaged: &[Damaged]) -> String {
    let one = |damaged: &Damaged| {
        let short = damaged.id.get(..8).unwrap_or(&damaged.id);
        format!("{short} of {}: {} files, {}", damaged.job, damaged.count, damaged.files.join(", "))
    };
    damaged.iter().map(one).collect::<Vec<_>>().join("\n")
}
