//! `env_file(path, values)`: an environment file that its reader reads as it was meant, and what can be done with it.

mod contents;
mod options;
mod previous;
mod put_back;

use serde_json::{Value, json};

use self::contents::{Contents, Differences};
use self::options::Options;
use super::writing;
use crate::drivers::disk::Written;
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, Need, Outcome, Prediction, Primitive, Probe, Recovery, Sink,
    Spec, Touches, Ty, handle, unknown_of, unknown_within,
};
use crate::secrets::secret_in;

/// The kind of the handle.
const ENV_FILE: &str = "env_file";

/// Every primitive of this file and its folder.
pub const ALL: &[&dyn Primitive] = &[&EnvFile, &put_back::PutBack];

/// Writes an environment file.
pub struct EnvFile;

static SPEC: Spec = Spec {
    name: ENV_FILE,
    receiver: None,
    args: &[
        Arg::new("path", Ty::Str, "The file, relative to the project's folder."),
        Arg::new("values", Ty::Map, "The variables by name: strings, numbers, or `true` and `false`."),
    ],
    options: Some(Options::SPEC),
    returns: Some(ENV_FILE),
    effect: Effect::Change,
    summary: "Writes an environment file that its reader reads as exactly these values, at once or not at all.",
    example: r#"env_file(".env", #{ POSTGRES_USER: "shop", PORT: 8080 }, #{ dialect: "compose" });"#,
};

/// Shorter values are words that stand in harmless places too.
const SHORTEST_SECRET: usize = 8;

impl Primitive for EnvFile {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::write(call.needed(0))]
    }

    fn preview(&self, call: &Call) -> String {
        let count = call.args.get(1).and_then(Value::as_object).filter(|_| unknown_of(&call.args[1]).is_none());
        match count.map(serde_json::Map::len) {
            Some(1) => format!("write {} (1 variable)", call.str(0)),
            Some(count) => format!("write {} ({count} variables)", call.str(0)),
            None => format!("write {}", call.str(0)),
        }
    }

    fn sinks(&self, call: &Call) -> Vec<Sink> {
        // Private unless another mode is given, whatever else of the options is only known to the run.
        let is_private = call.options.get("mode").is_none() || writing::is_private(call);
        vec![Sink::new("values", "a file of mode 0600").once(is_private, writing::PRIVATE)]
    }

    /// What looks like a secret by the variable's name, or is the password of a URL.
    fn secrets(&self, call: &Call) -> Vec<String> {
        let values = call.args.get(1).and_then(Value::as_object).into_iter().flatten();
        let texts = values.filter_map(|(name, value)| secret_in(name, value.as_str()?));
        texts.filter(|secret| secret.len() >= SHORTEST_SECRET).map(str::to_owned).collect()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let contents = Contents::of(context, call, &options)?;
        let (path, text) = (call.str(0), contents.text.as_deref().unwrap_or_default());
        let previous = previous::place(context, path)?;
        let tell = |written: &Written| outcome(path, written, &contents.differences, previous.written());
        let mode = Some(options.mode);
        if contents.old.is_some() && writing::would_change(context, path, text, mode)? {
            previous::keep(context, path, &previous)?;
        }
        let written = writing::write_as(context, path, text, mode, &tell)?;
        Ok(tell(&written))
    }

    fn recovery(&self, _call: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        writing::probe(context, call.str(0))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        context.touches(call.str(0))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let contents = Contents::of(context, call, &options)?;
        let path = call.str(0);
        let previous = previous::place(context, path)?;
        let tell = |written: &Written| outcome(path, written, &contents.differences, previous.written());
        let prediction = writing::foresee_as(context, path, contents.text.as_deref(), Some(options.mode), &tell)?;
        Ok(match prediction.value.get("changed") {
            Some(changed) if unknown_of(changed).is_some() => {
                let value = value(path, changed, changed, changed);
                Prediction { value, ..prediction }
            }
            _ => prediction,
        })
    }

    /// Which file is written, and how, is what a plan must know.
    fn foresees(&self, call: &Call) -> bool {
        unknown_within(&call.options).or(call.args.first().and_then(unknown_within)).is_none()
    }
}

/// What a script gets, and what a plan and the log say: names, and never a value.
fn outcome(path: &str, written: &Written, differences: &Differences, previous: &str) -> Outcome {
    let previous = if written.changed && !written.created { Value::from(previous) } else { Value::Null };
    let changes = written.changed.then(|| {
        let action = if written.created { Action::Create } else { Action::Update };
        let mode = written.details().into_iter().filter(|detail| detail.starts_with("mode"));
        Change { detail: differences.lines().into_iter().chain(mode).collect(), ..change(action, path) }
    });
    let note = written.note().map(|note| match differences.summary() {
        Some(summary) if !written.created => summary,
        _ => note,
    });
    let value = value(path, &written.changed.into(), &written.created.into(), &previous);
    Outcome { value, changed: Some(written.changed), note, changes: changes.into_iter().collect() }
}

fn value(path: &str, changed: &Value, created: &Value, previous: &Value) -> Value {
    handle(ENV_FILE, json!({ "path": path, "changed": changed, "created": created, "previous": previous }))
}

fn change(action: Action, path: &str) -> Change {
    Change::new(action, format!("file {path}"))
}
