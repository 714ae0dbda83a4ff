//! Migrations: which of them lie between a release and the database as it is now.
//!
//! `compose.migrating` notes one before it runs and `compose.migrated` how it ended, so that one whose run died in between is
//! known as well; `compose.crossed` looks back. They stand in the run log beside the releases, whatever became of the run.

mod ledger;

use serde_json::{Value, json};

use super::needs;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Spec, Touches, Ty, unknown,
};
use ledger::{Begun, Ended, Entry, Ledger};

/// Notes that a migration begins.
pub(super) struct Migrating;
/// Notes how it ended.
pub(super) struct Migrated;
/// Finds what lies between.
pub(super) struct Crossed;

crate::options! {
    /// Options of `compose.migrating`.
    pub struct MigratingOptions {
        /// The revision the database is at before it.
        before: Option<String>,
        /// The command that takes it back; `{before}` in it is the revision from before.
        undo: Vec<String>,
        /// What `backup` returned of the database as it is before.
        saved: Option<Value>,
        /// It takes back the one before.
        back: bool = false,
    }
}

crate::options! {
    /// Options of `compose.migrated`.
    pub struct MigratedOptions {
        /// The revision the database is at after it.
        after: Option<String>,
    }
}

crate::options! {
    /// Options of `compose.crossed`.
    pub struct CrossedOptions {
        /// What may lie between: `all`, only what can be taken back (`reversible`), or `none`.
        allow: String = "all".to_owned(),
    }
}

static MIGRATING: Spec = Spec {
    name: "migrating",
    receiver: Some("compose"),
    args: &[
        Arg::new("service", Ty::Str, "The service in whose image it runs."),
        Arg::new("command", Ty::Strings, "The migration command."),
    ],
    options: Some(MigratingOptions::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Notes in the run log that a migration of the application's database begins; returns its number.",
    example: r#"let number = app.migrating("api", ["alembic", "upgrade", "head"], #{ before: "3f2a" });"#,
};

static MIGRATED: Spec = Spec {
    name: "migrated",
    receiver: Some("compose"),
    args: &[Arg::new("number", Ty::Int, "What `migrating` returned.")],
    options: Some(MigratedOptions::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Notes in the run log that a migration ended well.",
    example: r#"app.migrated(number, #{ after: "91c0" });"#,
};

static CROSSED: Spec = Spec {
    name: "crossed",
    receiver: Some("compose"),
    args: &[Arg::new("release", Ty::Int, "The number of the release.")],
    options: Some(CrossedOptions::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Lists the migrations that lie between a release and the database as it is now, the newest first.",
    example: "for migration in app.crossed(3) { warn(migration.text); }",
};

impl Primitive for Migrating {
    fn spec(&self) -> &'static Spec {
        &MIGRATING
    }

    /// Whoever migrates may note it.
    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::docker(call.receiver_needed("name"), "run")]
    }

    fn preview(&self, call: &Call) -> String {
        format!("note a migration of {}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: MigratingOptions = call.options()?;
        let saved = options.saved.map(ledger::saved).transpose()?;
        let undo = options.undo.iter().map(|word| word.replace("{before}", place(options.before.as_deref()))).collect();
        let begun = Begun {
            service: call.str(0).to_owned(),
            command: call.strings(1),
            before: options.before,
            undo,
            saved,
            back: options.back,
        };
        Ok(Outcome::from(note(context, call, &Entry::Begun(begun))?))
    }

    fn touches(&self, _: &Context<'_>, _: &Call) -> Touches {
        Touches::Nothing
    }

    fn predict(&self, _: &Context<'_>, _: &Call) -> Result<Prediction, Failure> {
        Ok(Prediction::nothing(unknown("the number of the migration")))
    }
}

impl Primitive for Migrated {
    fn spec(&self) -> &'static Spec {
        &MIGRATED
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::docker(call.receiver_needed("name"), "run")]
    }

    fn preview(&self, call: &Call) -> String {
        format!("note that a migration of {} ended", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: MigratedOptions = call.options()?;
        let of = call.optional(0).and_then(Value::as_i64).unwrap_or_default();
        note(context, call, &Entry::Ended(Ended { of, after: options.after }))?;
        Ok(Outcome::from(Value::Null))
    }

    fn touches(&self, _: &Context<'_>, _: &Call) -> Touches {
        Touches::Nothing
    }

    fn predict(&self, _: &Context<'_>, _: &Call) -> Result<Prediction, Failure> {
        Ok(Prediction::nothing(Value::Null))
    }
}

impl Primitive for Crossed {
    fn spec(&self) -> &'static Spec {
        &CROSSED
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &CROSSED)
    }

    fn preview(&self, call: &Call) -> String {
        format!("find the migrations of {} since a release", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: CrossedOptions = call.options()?;
        let number = call.optional(0).and_then(Value::as_i64).unwrap_or_default();
        let name = call.receiver_str("name");
        let release = context.services.releases(name)?.into_iter().find(|release| release.number == number);
        let Some(release) = release else {
            return Err(Failure::new(FailureKind::NotFound, format!("`{name}` has no release {number}"))
                .hint("`app.releases()` lists them"));
        };
        let ledger = Ledger::of(context.services.releases(&beside(name))?);
        let crossing = ledger.crossing(release.at);
        let in_the_way = match options.allow.as_str() {
            "all" => false,
            "reversible" => crossing.is_lasting(),
            "none" => crossing.is_certain(),
            other => {
                let message = format!("option `allow` cannot be `{other}`: it is `all`, `reversible` or `none`");
                return Err(Failure::new(FailureKind::Option, message));
            }
        };
        if in_the_way {
            return Err(crossing.refusal(name, number));
        }
        let note = super::count(crossing.len(), "migration");
        Ok(Outcome::from(json!(crossing.items())).note(note))
    }

    fn touches(&self, _: &Context<'_>, _: &Call) -> Touches {
        Touches::Nothing
    }

    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let what = format!("which migrations of {} will have run", call.receiver_str("name"));
        Ok(Prediction::nothing(unknown(what)))
    }
}

/// How a command names a revision: by its first word, as in `91c0 (head)`, and where there is none as Alembic does.
fn place(revision: Option<&str>) -> &str {
    revision.and_then(|text| text.split_whitespace().next()).unwrap_or("base")
}

/// Where migrations stand among the releases. No project has such a name.
fn beside(project: &str) -> String {
    format!("{project} (migrations)")
}

/// Notes an entry once, however often the call is made; its number.
fn note(context: &Context<'_>, call: &Call, entry: &Entry) -> Result<Value, Failure> {
    if context.planning {
        return Ok(unknown("the number of the migration"));
    }
    let name = beside(call.receiver_str("name"));
    let noted = context.services.record_release(context.path, &name, &json!(entry))?;
    Ok(noted.number.into())
}
