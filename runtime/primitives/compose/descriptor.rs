//! The handle: which files, variables and engine, and nothing that could grow old.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::on_engine::engine_of;
use super::super::on_engine::touches::will_write;
use super::scalar;
use crate::compose::{LoadRequest, USUAL_FILES, usual_files};
use crate::drivers::docker::OVER_SSH;
use crate::primitive::{Call, Context, Failure, FailureKind, Guard, Touches, handle};

crate::options! {
    /// Options of `compose`.
    pub struct Options {
        /// The compose files, later ones over earlier ones, relative to the project. Without it: `compose.yaml`, `compose.yml`,
        /// `docker-compose.yml` or `docker-compose.yaml`, with its `override` file beside it.
        files: Option<Value>,
        /// Variables for `${…}` in the files. They win over the environment file.
        env: BTreeMap<String, Value>,
        /// The file of variables, relative to the project. Without it: `.env` in the folder of the first compose file.
        env_file: Option<String>,
        /// Variables of the `runbook` process that the files may use too. No other variable of it is ever seen.
        inherit: Vec<String>,
        /// Profiles that are active; `*` means all.
        profiles: Vec<String>,
        /// The folder that relative paths in the files start from. Without it: the folder of the first compose file.
        directory: Option<String>,
        /// The host whose engine it runs on: an `ssh` handle, or the host's name.
        host: Option<Value>,
        /// The engine: a `docker` handle, or its address as in `tcp://10.0.0.5:2375`. Without it: `DOCKER_HOST`, else the
        /// local socket.
        engine: Option<Value>,
    }
}

/// What a `compose` handle holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Descriptor {
    /// The project's name.
    pub name: String,
    /// Compose files, as the script wrote them.
    pub files: Vec<String>,
    /// Variables that win over the environment file.
    pub env: BTreeMap<String, String>,
    /// The environment file, when one is named.
    pub env_file: Option<String>,
    /// Names of variables taken from the process.
    pub inherit: Vec<String>,
    /// Active profiles.
    pub profiles: Vec<String>,
    /// Where relative paths start.
    pub directory: String,
    /// The engine's address.
    pub engine: Option<String>,
}

impl Descriptor {
    /// Checks what a script says about an application; the files must be there.
    pub fn new(context: &Context<'_>, name: &str, options: Options) -> Result<Self, Failure> {
        check_name(name)?;
        let engine = engine_address(&options)?;
        let directory = options.directory.clone();
        let files = match written_files(options.files.as_ref())? {
            Some(files) => files,
            None => default_files(context, directory.as_deref().unwrap_or("."))?,
        };
        // In a plan, a file may be one that an earlier call makes.
        let comes = |file: &&String| will_write(context, &Touches::disk(&context.resolve(file)));
        let is_missing = |file: &&String| !context.resolve(file).is_file() && !comes(file);
        let missing: Vec<&String> = files.iter().filter(is_missing).collect();
        if let Some(first) = missing.first() {
            let all = missing.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", ");
            let there = present(context, first);
            let failure = Failure::new(FailureKind::NotFound, format!("compose file {all} does not exist"))
                .hint(format!("paths are relative to the project's folder `{}`", context.project.root().display()));
            return Err(match there.as_slice() {
                [] => failure,
                there => failure.hint(format!("in that folder there is {}", there.join(", "))),
            });
        }
        if let Some(file) = options.env_file.as_ref().filter(is_missing) {
            return Err(Failure::new(FailureKind::NotFound, format!("environment file `{file}` does not exist")));
        }
        // A link inside of the project that leads out of it is no way around a grant.
        for path in files.iter().chain(&options.env_file).filter(|file| !comes(file)) {
            context.real(path)?;
        }
        let directory = directory.unwrap_or_else(|| parent_of(&files));
        let env = options.env.iter().map(|(name, value)| Ok((name.clone(), variable(name, value)?)));
        Ok(Self {
            name: name.to_owned(),
            env: env.collect::<Result<_, Failure>>()?,
            env_file: options.env_file,
            inherit: options.inherit,
            profiles: options.profiles,
            engine,
            directory,
            files,
        })
    }

    /// Reads the handle that a method is called on.
    pub fn of(call: &Call) -> Result<Self, Failure> {
        serde_json::from_value(call.receiver.clone())
            .map_err(|error| Failure::new(FailureKind::Argument, format!("the compose handle is damaged: {error}")))
    }

    /// What a call that changes this application has to itself.
    pub fn guard(call: &Call) -> Option<Guard> {
        Self::of(call).ok().map(|descriptor| descriptor.itself())
    }

    /// The application as something that one run at a time may change.
    pub fn itself(&self) -> Guard {
        Guard { engine: self.engine.clone().unwrap_or_default(), project: self.name.clone(), is_late: false }
    }

    /// The handle for the script.
    pub fn handle(&self) -> Value {
        handle("compose", json!(self))
    }

    /// What the compose model is to load.
    pub fn request(&self, context: &Context<'_>) -> LoadRequest {
        let inherited = self.inherit.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
        LoadRequest {
            project: self.name.clone(),
            files: self.files.iter().map(|file| context.resolve(file)).collect(),
            project_directory: context.resolve(&self.directory),
            env_file: self.env_file.as_ref().map(|file| context.resolve(file)),
            environment: inherited.chain(self.env.clone()).collect(),
            profiles: self.profiles.clone(),
        }
    }

    /// The environment file that is read, whether named or not.
    pub fn env_file_path(&self, context: &Context<'_>) -> PathBuf {
        match &self.env_file {
            Some(file) => context.resolve(file),
            None => context.resolve(&self.directory).join(".env"),
        }
    }
}

/// `None` is the local engine, which a `docker` handle without a host also names.
fn engine_address(options: &Options) -> Result<Option<String>, Failure> {
    let named = match (&options.host, &options.engine) {
        (Some(_), Some(_)) => {
            return Err(Failure::new(FailureKind::Option, "options `host` and `engine` name the engine twice"));
        }
        (Some(Value::String(host)), None) => return Ok(Some(format!("{OVER_SSH}{host}"))),
        (host, engine) => host.as_ref().or(engine.as_ref()),
    };
    let address = named.map(engine_of).transpose()?;
    Ok(address.and_then(|address| address.as_str().map(str::to_owned)))
}

fn check_name(name: &str) -> Result<(), Failure> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if first && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Argument, format!("argument `name`: `{name}` is not a project name"))
        .hint("use lower-case letters, digits, `-` and `_`, and begin with a letter or digit, as in `shop`"))
}

/// A list of files, or one.
fn written_files(value: Option<&Value>) -> Result<Option<Vec<String>>, Failure> {
    let wrong = || Failure::new(FailureKind::Option, "option `files` must be a list of paths like [\"compose.yaml\"]");
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(file)) => Ok(Some(vec![file.clone()])),
        Some(Value::Array(items)) if !items.is_empty() => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect::<Result<_, _>>()
            .map(Some),
        Some(_) => Err(wrong()),
    }
}

/// The usual files of a folder, as a script would write them.
fn default_files(context: &Context<'_>, directory: &str) -> Result<Vec<String>, Failure> {
    let inside = |name: String| if directory == "." { name } else { format!("{directory}/{name}") };
    let found = usual_files(&context.resolve(directory));
    if found.is_empty() {
        return Err(Failure::new(
            FailureKind::NotFound,
            format!("there is no compose file in `{}`", context.resolve(directory).display()),
        )
        .hint(format!("name it: #{{ files: [\"deploy/compose.yaml\"] }}, or make one of {}", USUAL_FILES.join(", "))));
    }
    Ok(found.iter().filter_map(|file| Some(inside(file.file_name()?.to_string_lossy().into_owned()))).collect())
}

/// Compose files in the folder in which one was looked for.
fn present(context: &Context<'_>, missing: &str) -> Vec<String> {
    let path = context.resolve(missing);
    let entries = path.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            let extension = Path::new(name).extension().and_then(std::ffi::OsStr::to_str);
            name.contains("compose") && matches!(extension, Some("yml" | "yaml"))
        })
        .collect();
    names.sort();
    names
}

fn parent_of(files: &[String]) -> String {
    let parent = files.first().and_then(|file| Path::new(file).parent()).map(|path| path.display().to_string());
    parent.filter(|path| !path.is_empty()).unwrap_or_else(|| ".".to_owned())
}

fn variable(name: &str, value: &Value) -> Result<String, Failure> {
    scalar(value).ok_or_else(|| {
        Failure::new(FailureKind::Option, format!("option `env.{name}` must be a string, a number or a bool"))
    })
}
