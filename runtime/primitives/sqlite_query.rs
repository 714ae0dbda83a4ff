//! `sqlite_query(path, sql)`: what a SQLite database answers, without changing it.

use serde_json::{Value, json};

use crate::drivers::sqlite;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, Need, Outcome, Prediction, Primitive, Span, Spec, Touches, Ty, unknown,
};

crate::options! {
    /// Options of `sqlite_query`.
    pub struct Options {
        /// How long it may take.
        within: Span = Span::seconds(60),
    }
}

/// Asks a SQLite database.
pub struct SqliteQuery;

static SPEC: Spec = Spec {
    name: "sqlite_query",
    receiver: None,
    args: &[
        Arg::new("path", Ty::Str, "The file, relative to the project's folder."),
        Arg::new("sql", Ty::Str, "One statement that only looks."),
    ],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Asks a SQLite database something, and returns the rows: a list of lists.",
    example: r#"let users = sqlite_query("data/app.db", "SELECT count(*) FROM users")[0][0];"#,
};

impl Primitive for SqliteQuery {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::read(call.needed(0))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let held = context.readable(call.str(0))?.source()?;
        let cancel = context.cancel.clone();
        let rows = sqlite::query(held.real(), call.str(1), options.within.0, &|| {
            cancel.reason().map_or(Ok(()), |reason| Err(reason.into()))
        })?;
        let note = format!("{} rows", rows.len());
        Ok(Outcome::from(json!(rows)).note(note))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        context.touches(call.str(0))
    }

    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let value: Value = unknown(format!("what `{}` answers", call.str(0)));
        Ok(Prediction { value, changes: Vec::new() })
    }
}
