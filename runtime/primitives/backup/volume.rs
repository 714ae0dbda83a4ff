//! Docker volumes: read and written as archives through a container that is never started, so that it does not matter who may
//! look into the engine's folders, or on which machine it is.

mod placing;
mod reading;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::excludes;
use super::program::{Pumping, supervised};
use crate::drivers::backup::Packer;
use crate::drivers::docker::{self, Engine, OVER_SSH, Paused};
use crate::primitive::{Context, Failure, FailureKind, LogStream, Need, Span, parse_options, text_of};
use crate::primitives::on_engine::{KEY, engine_of, machine, short_key};

pub use placing::{Placing, There};

/// What saving a volume needs, beside the look at it.
const SAVE: &str = "backup";

/// A volume of an engine.
#[derive(Clone)]
pub struct Volume {
    /// The name of its part.
    pub name: String,
    /// What the engine calls it.
    pub id: String,
    engine: Option<String>,
    exclude: Vec<String>,
    /// How long the containers that have it may stand still.
    pause: Option<Span>,
}

/// As a script writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    volume: String,
    #[serde(default)]
    engine: Option<Value>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    pause: Option<Span>,
    #[serde(default)]
    name: Option<String>,
}

/// What the manifest tells of a volume besides what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its name, its driver, and what it was made with.
    pub volume: docker::Volume,
    /// Who stood still meanwhile.
    pub paused: Vec<String>,
    /// For how long, in milliseconds.
    pub paused_for: u64,
}

impl Volume {
    /// Reads `#{ volume, engine, exclude, pause, name }`.
    pub fn read(value: &Value, exclude: &[String]) -> Result<Self, Failure> {
        let written: Written = parse_options(value)?;
        let wrong = |message: &str| Err(Failure::new(FailureKind::Argument, message.to_owned()));
        if written.volume.is_empty() || written.volume.contains('/') {
            return wrong("`volume` is the name of a volume");
        }
        let engine = written.engine.as_ref().map(engine_of).transpose()?;
        let engine = engine.and_then(|address| Some(address.as_str()?.to_owned()));
        if written.pause.is_some() && engine.as_ref().is_some_and(|address| address.starts_with(OVER_SSH)) {
            return wrong(
                "containers of another host are not paused: nobody there would wake them if this machine died",
            );
        }
        let volume = Self {
            name: written.name.unwrap_or_else(|| written.volume.clone()),
            id: written.volume,
            engine,
            exclude: [exclude, &written.exclude].concat(),
            pause: written.pause,
        };
        excludes(&volume.exclude).map(|_| volume)
    }

    /// What saving it needs, as it is written.
    pub fn needs(value: &Value) -> Vec<Need> {
        Self::needs_for(value, SAVE)
    }

    /// What doing that with it needs.
    pub fn needs_for(value: &Value, verb: &'static str) -> Vec<Need> {
        let address = value.get("engine").and_then(|engine| engine_of(engine).ok());
        let machine = address.as_ref().and_then(Value::as_str).map(machine);
        machine.into_iter().chain([Need::docker(text_of(value.get("volume")), verb)]).collect()
    }

    /// In words.
    pub fn shown(&self) -> String {
        format!("volume `{}`", self.id)
    }

    /// Its engine.
    pub fn engine(&self, context: &Context<'_>) -> Result<Arc<Engine>, Failure> {
        context.drivers.docker(self.engine.as_deref())
    }

    /// The name of the container that this call looks into it with.
    fn shelf(&self, context: &Context<'_>) -> String {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = self.name.chars().filter(|c| letters(*c)).take(40).collect();
        format!("runbook-volume-{}-{name}", short_key(context))
    }

    /// Tells a repository of everything in it, and says at the end what it is.
    pub fn pump(&self, context: &Context<'_>, packer: &Packer, pumping: Pumping<'_>) {
        let what = format!("saving {}", self.shown());
        let done = self.engine(context).and_then(|engine| {
            let done = supervised(context, pumping, &what, self.save(context, &engine, packer));
            self.tidy(context, &engine);
            done
        });
        packer.end(done);
    }

    async fn save(&self, context: &Context<'_>, engine: &Arc<Engine>, packer: &Packer) -> Result<Value, Failure> {
        let volume = self.there(engine).await?;
        let shelf = self.make_shelf(context, engine).await?;
        let mut paused = self.pause(context, engine).await?;
        let read = reading::read(engine, &shelf, packer, excludes(&self.exclude)?, context.marker_folder()).await;
        let (stood, names) = match &mut paused {
            None => (Duration::ZERO, Vec::new()),
            Some(paused) => (paused.wake(engine).await?, paused.containers().to_vec()),
        };
        read?;
        let paused_for = u64::try_from(stood.as_millis()).unwrap_or(u64::MAX);
        Ok(json!({ "volume": Facts { volume, paused: names, paused_for } }))
    }

    async fn there(&self, engine: &Engine) -> Result<docker::Volume, Failure> {
        engine.volume(&self.id).await?.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("there is no {}", self.shown()))
                .hint("`docker volume ls` names them; compose puts the project's name before each")
        })
    }

    /// A container that has it, by its id.
    async fn make_shelf(&self, context: &Context<'_>, engine: &Engine) -> Result<String, Failure> {
        let labels = [(KEY.to_owned(), context.key())].into();
        engine.make_shelf(&self.shelf(context), &self.id, &labels).await
    }

    /// Removes the container again. One that cannot be removed is told of: it keeps the volume from being removed.
    pub fn tidy(&self, context: &Context<'_>, engine: &Engine) {
        let name = self.shelf(context);
        let removing = async { tokio::time::timeout(Duration::from_secs(30), engine.remove(&name, false)).await };
        if !matches!(context.drivers.block_on(removing), Ok(Ok(_))) {
            context.log(LogStream::Warn, &format!("container `{name}` is still there: docker rm {name}"));
        }
    }

    /// Lets those who have it stand still, where that is wanted.
    async fn pause(&self, context: &Context<'_>, engine: &Engine) -> Result<Option<Paused>, Failure> {
        let Some(limit) = self.pause else { return Ok(None) };
        let program = context.drivers.processes().keeper().ok_or_else(|| {
            Failure::new(FailureKind::System, "this program cannot start itself again, which wakes paused containers")
        })?;
        let names: Vec<String> = self.users(engine, &self.shelf(context)).await?;
        for name in &names {
            context.granted(&Need::docker(name, "pause"))?;
        }
        engine.pause_all(&names, limit.0, program).await.map(Some)
    }

    /// Who has it, but for the container with that name.
    async fn users(&self, engine: &Engine, but: &str) -> Result<Vec<String>, Failure> {
        let users = engine.users_of_volume(&self.id).await?;
        Ok(users.into_iter().map(|user| user.name).filter(|name| name != but).collect())
    }
}
