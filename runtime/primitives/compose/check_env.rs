//! `compose.check_env`: every variable the compose files need, and what the script says about their values.

mod references;
mod rules;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::app::App;
use super::count;
use super::descriptor::Descriptor;
use crate::compose::{dotenv, load};
use crate::primitive::{Call, Context, Effect, Failure, FailureKind, LogStream, Outcome, Primitive, Spec};

/// Checks variables.
pub(super) struct CheckEnv;

crate::options! {
    /// Options of `compose.check_env`.
    pub struct Options {
        /// Variables that must be there and not be empty, whether the compose files name them or not.
        required: Vec<String>,
        /// Regular expressions that values must match, by variable.
        pattern: BTreeMap<String, String>,
        /// Variables that must be URLs with a scheme and a host.
        url: Vec<String>,
        /// The values a variable may have.
        one_of: BTreeMap<String, Vec<String>>,
        /// How many characters a value must have at least, by variable.
        min_length: BTreeMap<String, usize>,
        /// Refuse values that were never filled in, as in `changeme`, `your-api-key` or `sk-xxxxx`.
        not_placeholder: bool = false,
    }
}

static SPEC: Spec = Spec {
    name: "check_env",
    receiver: Some("compose"),
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Checks every variable that the compose files need, and rules about their values, and tells all problems at once.",
    example: r#"app.check_env(#{ required: ["JWT_SECRET"], min_length: #{ JWT_SECRET: 32 }, not_placeholder: true });"#,
};

impl Primitive for CheckEnv {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn preview(&self, call: &Call) -> String {
        format!("check the environment of {}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let rules = rules::Rules::new(&options)?;
        let descriptor = Descriptor::of(call)?;
        let request = descriptor.request(context);
        let values = Values::read(context, &descriptor);
        let mut problems: Vec<String> = Vec::new();
        let mut empty = Vec::new();
        match load(&request) {
            Ok(model) => {
                let app = App { context, model, ..App::without_files(context, descriptor.clone())? };
                problems.extend(references::unset(&app, &request.files, &values, &mut empty));
                let values = values.with_service_files(&app);
                problems.extend(rules.problems(&values));
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
                problems.extend(rules.problems(&values));
            }
        }
        Err(failure(context, &descriptor, &problems))
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

/// Variables with the place where each was set.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// Value and place, as in `.env:3`, by name.
    pub of: BTreeMap<String, (String, String)>,
}

impl Values {
    /// What the compose files see: the environment file, and over it what the script gave.
    fn read(context: &Context<'_>, descriptor: &Descriptor) -> Self {
        let mut values = Self::default();
        values.add(&descriptor.env_file_path(context), context.project.root());
        for (name, value) in descriptor.request(context).environment {
            let place = if descriptor.env.contains_key(&name) { "option `env`" } else { "option `inherit`" };
            values.of.insert(name, (value, place.to_owned()));
        }
        values
    }

    /// Also what only containers see: the services' own environment files.
    fn with_service_files(mut self, app: &App<'_>) -> Self {
        let services = app.model.services.values();
        let paths: Vec<PathBuf> =
            services.flat_map(|service| service.env_files.iter().map(|file| PathBuf::from(&file.path))).collect();
        for path in paths {
            let mut more = Self::default();
            more.add(&path, app.context.project.root());
            for (name, value) in more.of {
                self.of.entry(name).or_insert(value);
            }
        }
        self
    }

    /// A file that is not there or not valid is told by loading the compose files.
    fn add(&mut self, path: &Path, root: &Path) {
        let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
        let Ok(text) = std::fs::read_to_string(path) else { return };
        for assignment in dotenv::parse(&text, &shown).unwrap_or_default() {
            let place = format!("{shown}:{}", assignment.line);
            self.of.insert(assignment.name, (assignment.value, place));
        }
    }
}
