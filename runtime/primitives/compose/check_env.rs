//! `compose.check_env`: every variable the compose files need, and what the script says about their values.

mod references;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::app::App;
use super::descriptor::Descriptor;
use super::{count, described};
use crate::compose::{dotenv, load};
use crate::primitive::{
    Call, Context, Effect, Failure, FailureKind, LogStream, Need, Outcome, Primitive, Spec, Touches,
};
use crate::primitives::schema::{Schema, Variables};

/// Checks variables.
pub(super) struct CheckEnv;

static SPEC: Spec = Spec {
    name: "check_env",
    receiver: Some("compose"),
    args: &[],
    options: Some(Schema::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Checks every variable that the compose files need, and rules about their values, and tells all problems at once.",
    example: r#"app.check_env(#{ required: ["JWT_SECRET"], min_length: #{ JWT_SECRET: 32 }, not_placeholder: true });"#,
};

impl Primitive for CheckEnv {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        described(&call.receiver)
    }

    fn preview(&self, call: &Call) -> String {
        format!("check the environment of {}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let schema: Schema = call.options()?;
        let descriptor = Descriptor::of(call)?;
        let request = descriptor.request(context);
        let values = read(context, &descriptor);
        let mut problems: Vec<String> = Vec::new();
        let mut empty = Vec::new();
        match load(&request) {
            Ok(model) => {
                let app = App { context, model, ..App::without_files(context, descriptor.clone())? };
                problems.extend(references::unset(&app, &request.files, &values, &mut empty));
                let values = with_service_files(values, &app);
                problems.extend(schema.problems(&values));
                if problems.is_empty() {
                    warn_of_empty(context, &empty);
                    let names: Vec<&String> = values.of.keys().collect();
                    let note = format!("{} in order", count(names.len(), "variable"));
                    let file = descriptor.env_file_path(context);
                    let file = file.is_file().then(|| app.shown(&file));
                    return Ok(Outcome::from(json!({ "file": file, "variables": names })).note(note));
                }
            }
            Err(found) => {
                problems.extend(found.iter().map(|problem| match &problem.hint {
                    Some(hint) => format!("{problem} ({hint})"),
                    None => problem.to_string(),
                }));
                problems.extend(schema.problems(&values));
            }
        }
        Err(failure(context, &descriptor, &problems))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        super::files(context, call)
    }
}

/// All problems as one failure.
fn failure(context: &Context<'_>, descriptor: &Descriptor, problems: &[String]) -> Failure {
    let file = descriptor.env_file_path(context);
    let shown = file.strip_prefix(context.project.root()).unwrap_or(&file).display().to_string();
    let failure = match problems {
        [only] => Failure::new(FailureKind::Invalid, only.clone()),
        all => {
            let first = all.first().map_or("", String::as_str);
            let number = count(all.len(), "problem");
            let message = format!("{number} in the environment of `{}`, the first one: {first}", descriptor.name);
            Failure::new(FailureKind::Invalid, message).evidence("all problems", all.join("\n"))
        }
    };
    let about_values = problems.iter().any(|problem| problem.contains("variable") || problem.contains("is required"));
    let failure = if !about_values && !file.is_file() {
        // Files that are not valid have nothing to do with a file that is not needed.
        failure
    } else if file.is_file() {
        failure.hint(format!("values come from `{shown}`"))
    } else {
        failure.hint(format!("there is no `{shown}`: write one, or name it with `env_file`"))
    };
    failure.hint("nothing was started")
}

fn warn_of_empty(context: &Context<'_>, empty: &[String]) {
    for line in empty {
        context.log(LogStream::Warn, line);
    }
}

/// What the compose files see: the environment file, and over it what the script gave.
fn read(context: &Context<'_>, descriptor: &Descriptor) -> Variables {
    let mut values = Variables::default();
    add(&mut values, &descriptor.env_file_path(context), context.project.root());
    for (name, value) in descriptor.request(context).environment {
        let place = if descriptor.env.contains_key(&name) { "option `env`" } else { "option `inherit`" };
        values.of.insert(name, (value, place.to_owned()));
    }
    values
}

/// Also what only containers see: the services' own environment files.
fn with_service_files(mut values: Variables, app: &App<'_>) -> Variables {
    let services = app.model.services.values();
    let paths: Vec<PathBuf> =
        services.flat_map(|service| service.env_files.iter().map(|file| PathBuf::from(&file.path))).collect();
    for path in paths {
        let mut more = Variables::default();
        add(&mut more, &path, app.context.project.root());
        for (name, value) in more.of {
            values.of.entry(name).or_insert(value);
        }
    }
    values
}

/// A file that is not there or not valid is told by loading the compose files.
fn add(values: &mut Variables, path: &Path, root: &Path) {
    let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let Ok(text) = std::fs::read_to_string(path) else { return };
    for assignment in dotenv::parse(&text, &shown).unwrap_or_default() {
        let place = format!("{shown}:{}", assignment.line);
        values.of.insert(assignment.name, (assignment.value, place));
    }
}
