//! A deployment: the files that describe an application, the variables that it gets, which images run of it and, where that is
//! asked for, these images themselves.

mod files;
mod images;
mod running;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::program::Pumping;
use crate::compose::{Application, LoadRequest, failure, load};
use crate::drivers::backup::{Packer, Pump};
use crate::drivers::docker::Engine;
use crate::primitive::{Call, Context, Failure, FailureKind, LogStream, Need, Sink, kind_of, parse_options, text_of};
use crate::primitives::on_engine::machine;
use crate::secrets::{is_token_in, secret_in};

use files::Files;
use running::Instance;

pub use images::{ImagesPlacing, SavedImage};

/// What saving a deployment needs, beside the look at its files.
const SAVE: &str = "backup";
/// Shorter values of variables are words that stand in harmless places too.
const SHORTEST: usize = 8;

/// An application, as it is deployed.
#[derive(Clone)]
pub struct Deployment {
    /// The name of its part.
    pub name: String,
    /// Are the images saved as well?
    pub images: bool,
    handle: Handle,
    files: Vec<String>,
    exclude: Vec<String>,
}

/// As a script writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    deployment: Value,
    #[serde(default)]
    images: bool,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    name: Option<String>,
}

/// What a `compose` handle says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Handle {
    name: String,
    files: Vec<String>,
    env: BTreeMap<String, String>,
    env_file: Option<String>,
    inherit: Vec<String>,
    profiles: Vec<String>,
    directory: String,
    engine: Option<String>,
}

/// What the manifest tells of a deployment besides what is in its files: no value of any variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The application's name.
    pub project: String,
    /// The folder whose files were saved.
    pub folder: String,
    /// The compose files, the first first; as all paths here, inside of that folder.
    pub files: Vec<String>,
    /// The folder that relative paths in them start from.
    pub directory: String,
    /// The file of variables that they were read with.
    pub env_file: Option<String>,
    /// The active profiles.
    pub profiles: Vec<String>,
    /// What there was of it on its engine.
    pub services: Vec<Instance>,
    /// The part that has the images.
    pub images: Option<String>,
}

/// One that was looked at: what is saved is settled.
pub struct Ready {
    files: Files,
    facts: Facts,
    images: Vec<SavedImage>,
    engine: Arc<Engine>,
    shown: String,
}

impl Deployment {
    /// Reads `#{ deployment, images, files, exclude, name }`.
    pub fn read(value: &Value, exclude: &[String]) -> Result<Self, Failure> {
        let written: Written = parse_options(value)?;
        if kind_of(&written.deployment) != Some("compose") {
            return Err(Failure::new(FailureKind::Argument, "`deployment` is what `compose` returned")
                .hint("as in `#{ deployment: compose(\"shop\") }`"));
        }
        let handle: Handle = serde_json::from_value(written.deployment)
            .map_err(|error| Failure::new(FailureKind::Argument, format!("the compose handle is damaged: {error}")))?;
        let exclude = [exclude, &written.exclude].concat();
        super::excludes(&exclude)?;
        Ok(Self {
            name: written.name.unwrap_or_else(|| handle.name.clone()),
            images: written.images,
            handle,
            files: written.files,
            exclude,
        })
    }

    /// What saving it needs, as it is written.
    pub fn needs(value: &Value) -> Vec<Need> {
        let Some(handle) = value.get("deployment") else { return Vec::new() };
        let texts = |of: &Value, field: &str| -> Vec<String> {
            match of.get(field) {
                Some(Value::Array(items)) => items.iter().map(|item| text_of(Some(item))).collect(),
                None | Some(Value::Null) => Vec::new(),
                other => vec![text_of(other)],
            }
        };
        let own = ["files", "env_file", "directory"].into_iter().flat_map(|field| texts(handle, field));
        let outside = own.filter_map(Need::read_outside);
        let more = texts(value, "files").into_iter().map(Need::read);
        let variables = texts(handle, "inherit").into_iter().map(Need::variable);
        let engine =
            handle.get("engine").filter(|engine| engine.is_string()).map(|engine| machine(&text_of(Some(engine))));
        let saving = Need::docker(text_of(handle.get("name")), SAVE);
        outside.chain(more).chain(variables).chain(engine).chain([saving]).collect()
    }

    /// A secret may stand among the variables of a deployment, which are sealed in the repository, and nowhere else in a source.
    pub fn sinks(call: &Call) -> Vec<Sink> {
        let mut source = call.args.first().cloned().unwrap_or_default();
        let all = match &mut source {
            Value::Array(all) => all.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        let handles = all.iter_mut().filter_map(|one| one.get_mut("deployment")?.as_object_mut());
        let removed: Vec<Value> = handles.filter_map(|handle| handle.remove("env")).collect();
        if removed.is_empty() || is_token_in(&source.to_string()) {
            return Vec::new();
        }
        vec![Sink::new("source", "a variable of a deployment, sealed in the repository")]
    }

    /// In words.
    pub fn shown(&self) -> String {
        format!("deployment `{}`", self.handle.name)
    }

    /// The name of the part that has its images.
    pub fn images_name(&self) -> String {
        format!("{}.images.tar", self.name)
    }

    /// Looks at its files and at what runs.
    pub fn ready(&self, context: &Context<'_>, pumping: Pumping<'_>) -> Result<Ready, Failure> {
        let model = load(&self.request(context)).map_err(|problems| failure(&problems))?;
        let services = model.services.values().flat_map(|service| &service.environment);
        let services = services.filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (name, value) in model.variables.iter().chain(services) {
            if let Some(secret) = secret_in(name, value).filter(|secret| secret.len() >= SHORTEST) {
                context.services.mask(secret);
            }
        }
        let engine = context.drivers.docker(self.handle.engine.as_deref())?;
        let what = format!("looking at what runs of {}", self.shown());
        let (services, images) = context.wait(&what, pumping.within.0, running::look(&engine, &model, self.images))?;
        if services.is_empty() {
            if self.images {
                let message = format!("nothing is there of {}, so it has no images to be saved", self.shown());
                return Err(Failure::new(FailureKind::NotFound, message)
                    .hint("is it another name, or another engine? `images: false` saves its files alone"));
            }
            context.log(LogStream::Warn, &format!("nothing is there of {}: no image is noted", self.shown()));
        }
        let files = self.gather(context, &model)?;
        let facts = self.facts(&model, &files, services);
        Ok(Ready { files, facts, images, engine, shown: self.shown() })
    }

    /// What is loaded; the same as the methods of the handle load.
    fn request(&self, context: &Context<'_>) -> LoadRequest {
        let Handle { name, files, env, env_file, inherit, profiles, directory, .. } = &self.handle;
        let inherited = inherit.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
        LoadRequest {
            project: name.clone(),
            files: files.iter().map(|file| context.resolve(file)).collect(),
            project_directory: context.resolve(directory),
            env_file: env_file.as_ref().map(|file| context.resolve(file)),
            environment: inherited.chain(env.clone()).collect(),
            profiles: profiles.clone(),
        }
    }

    fn facts(&self, model: &Application, files: &Files, services: Vec<Instance>) -> Facts {
        let inside = |path: &PathBuf| files.inside(path).display().to_string();
        Facts {
            project: self.handle.name.clone(),
            folder: files.root.display().to_string(),
            files: model.files.iter().map(inside).collect(),
            directory: inside(&model.directory),
            env_file: files.variables().or_else(|| model.env_file.as_ref().map(inside)),
            profiles: self.handle.profiles.clone(),
            services,
            images: self.images.then(|| self.images_name()),
        }
    }
}

impl Ready {
    /// Tells a repository of every file, and says at the end what runs.
    pub fn pump(self, packer: &Packer) -> Ready {
        let put = self.files.put(packer);
        packer.end(put.map(|()| json!({ "deployment": self.facts })));
        self
    }

    /// Hands on the images, and says at the end which these are.
    pub fn pump_images(&self, context: &Context<'_>, pump: Pump, pumping: Pumping<'_>) {
        let what = format!("saving the images of {}", self.shown);
        super::program::pump_from(context, pump, pumping, &what, async |pump| {
            let ids: Vec<&str> = self.images.iter().map(|image| image.image.id.as_str()).collect();
            self.engine.save_all(&ids, &mut |bytes| pump.push(bytes)).await?;
            Ok(json!({ "images": self.images }))
        });
    }
}
