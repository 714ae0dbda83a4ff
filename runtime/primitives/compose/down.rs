//! `compose.down`: takes an application away.

use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::app::App;
use super::descriptor::Descriptor;
use super::{count, is_written_before, needs, release, touches, vague};
use crate::compose::labels::{self, Instance};
use crate::drivers::docker::{ContainerSummary, Engine, MountedPath};
use crate::primitive::{
    Action, Call, Change, Context, Effect, Failure, Guard, LogStream, Need, Outcome, Prediction, Primitive, Recovery,
    Span, Spec, Touches,
};
use crate::primitives::on_engine::{fate, noted};

/// Takes an application away.
pub(super) struct Down;

crate::options! {
    /// Options of `compose.down`.
    pub struct Options {
        /// Remove the volumes too, with all data in them. Volumes that the files call external stay.
        volumes: bool = false,
        /// Remove containers of services that the files no longer have.
        remove_orphans: bool = false,
        /// How long a container may take to stop before it is killed; its own time when left out.
        grace: Option<Span>,
    }
}

static SPEC: Spec = Spec {
    name: "down",
    receiver: Some("compose"),
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Destroy,
    summary: "Stops and removes the containers and networks of the application; its volumes stay unless they are asked for.",
    example: "app.down(#{ volumes: false });",
};

/// How long stopping and removing may take in all.
const LIMIT: Duration = Duration::from_secs(15 * 60);

impl Primitive for Down {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        let mut needs = needs(call, &SPEC);
        if call.options.get("volumes").is_some_and(|volumes| volumes == true) {
            needs.push(Need::docker(call.receiver_needed("name"), "remove_volume"));
        }
        needs
    }

    fn preview(&self, call: &Call) -> String {
        let volumes = call.options.get("volumes").and_then(serde_json::Value::as_bool).unwrap_or(false);
        let what = if volumes { " with its volumes and their data" } else { "" };
        format!("take down {}{what}", call.receiver_str("name"))
    }

    fn guards(&self, _: &Context<'_>, call: &Call) -> Option<Guard> {
        Descriptor::guard(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let app = App::open(context, call)?;
        let doomed = if let Some(doomed) = noted::<Doomed>(context) {
            doomed
        } else {
            let doomed = app.look("looking at what is there", look(&app, &options))?;
            if !doomed.is_empty() {
                context.mark(&json!(doomed))?;
            }
            doomed
        };
        // What a rollback needs must survive a pruning of unused images.
        release::keep_running(&app)?;
        context.wait("taking the application down", LIMIT, take_down(&app, &options, &doomed))?;
        let value = doomed.value();
        if doomed.is_empty() {
            return Ok(Outcome::unchanged(value).note("nothing was there"));
        }
        let parts = [("container", &doomed.containers), ("network", &doomed.networks), ("volume", &doomed.volumes)];
        let parts: Vec<String> =
            parts.iter().filter(|(_, names)| !names.is_empty()).map(|(noun, names)| count(names.len(), noun)).collect();
        Ok(Outcome::changed(value).note(format!("{} removed", parts.join(", "))).made(doomed.changes()))
    }

    /// What is gone already is no trouble the second time; what was there is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.project(project))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        if is_written_before(context, call) {
            return Ok(vague(&self.preview(call)));
        }
        let app = App::open(context, call)?;
        let mut doomed = app.look("looking at what is there", look(&app, &options))?;
        doomed.after_planned(&app, &options);
        Ok(Prediction { value: doomed.value(), changes: doomed.changes() })
    }
}

/// What is to go, by name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Doomed {
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
    /// Containers of services that the files do not have, which stay: service and name.
    #[serde(skip)]
    orphans: Vec<(String, String)>,
}

impl Doomed {
    fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.networks.is_empty() && self.volumes.is_empty()
    }

    fn value(&self) -> Value {
        json!({
            "containers": self.containers,
            "networks": self.networks,
            "volumes": self.volumes,
            "changed": !self.is_empty(),
        })
    }

    fn changes(&self) -> Vec<Change> {
        let all = [("container", &self.containers), ("network", &self.networks), ("volume", &self.volumes)];
        let gone = |(noun, names): (&str, &Vec<String>)| -> Vec<Change> {
            names.iter().map(|name| Change::new(Action::Remove, format!("{noun} {name}"))).collect()
        };
        all.into_iter().flat_map(gone).collect()
    }

    /// The same as it will be after the earlier calls of a plan.
    fn after_planned(&mut self, app: &App<'_>, options: &Options) {
        let comes = |noun: &str, name: &str| {
            fate(app.context, &format!("{noun} {name}")).map(|planned| planned.action != Action::Remove)
        };
        let adapt = |noun: &str, names: &mut Vec<String>, may_come: Vec<String>| {
            names.retain(|name| comes(noun, name) != Some(false));
            let new = may_come.into_iter().filter(|name| !names.contains(name) && comes(noun, name) == Some(true));
            let new: Vec<String> = new.collect();
            names.extend(new);
        };
        let replicas = app.model.services.values().flat_map(|service| {
            (1..=service.replicas()).map(|number| service.name_of(app.name(), &Instance::Replica(number)))
        });
        adapt("container", &mut self.containers, replicas.collect());
        let networks = app.model.used_networks().into_values().filter(|network| !network.external);
        adapt("network", &mut self.networks, networks.map(|network| network.name.clone()).collect());
        if options.volumes {
            let volumes = app.model.used_volumes().into_values().filter(|volume| !volume.external);
            adapt("volume", &mut self.volumes, volumes.map(|volume| volume.name.clone()).collect());
        }
    }
}

/// What there is of the application, those first that depend on others.
async fn look(app: &App<'_>, options: &Options) -> Result<Doomed, Failure> {
    let engine = &app.engine;
    let mine = [format!("{}={}", labels::PROJECT, app.name())];
    let mut doomed = Doomed::default();
    let known = |service: &str| app.model.services.contains_key(service) || app.model.disabled.contains_key(service);
    let (ours, orphans): (Vec<_>, Vec<_>) = engine
        .containers(&mine)
        .await?
        .into_iter()
        .partition(|container| options.remove_orphans || known(&service_of(container)));
    doomed.orphans = orphans.iter().map(|orphan| (service_of(orphan), orphan.name.clone())).collect();
    for wave in waves(app, &ours) {
        for container in wave {
            doomed.containers.push(container.name.clone());
            // Those that came over from a container before have a name for the engine, and would stay for ever.
            let mounts = engine.find(&container.id).await?.map(|found| found.mounts).unwrap_or_default();
            let anonymous = mounts.into_iter().filter(MountedPath::is_anonymous);
            doomed.volumes.extend(anonymous.filter(|_| options.volumes).map(|mount| mount.name));
        }
    }
    for network in engine.networks(&mine).await? {
        let inside = engine.network(&network.id).await?.map(|network| network.containers).unwrap_or_default();
        // An orphan that stays keeps its network.
        if !doomed.orphans.iter().any(|(_, name)| inside.contains(name)) {
            doomed.networks.push(network.name);
        }
    }
    if options.volumes {
        let external = |name: &String| app.model.volumes.values().any(|volume| volume.external && volume.name == *name);
        let volumes = engine.volumes(&mine).await?.into_iter().filter(|volume| !external(&volume.name));
        doomed.volumes.extend(volumes.map(|volume| volume.name));
    }
    Ok(doomed)
}

fn service_of(container: &ContainerSummary) -> String {
    container.labels.get(labels::SERVICE).cloned().unwrap_or_default()
}

/// Whoever depends on others goes first; those of services that the files do not have go last.
fn waves<'c>(app: &App<'_>, containers: &'c [ContainerSummary]) -> Vec<Vec<&'c ContainerSummary>> {
    let order = app.model.order();
    let wave_of = |service: &str| order.iter().position(|wave| wave.iter().any(|start| start.service == service));
    let of = |wave| containers.iter().filter(|container| wave_of(&service_of(container)) == wave).collect();
    (0..order.len()).rev().map(Some).chain([None]).map(of).collect()
}

async fn take_down(app: &App<'_>, options: &Options, doomed: &Doomed) -> Result<(), Failure> {
    let engine = &app.engine;
    for (service, name) in &doomed.orphans {
        let line = format!(
            "container `{name}` of service `{service}`, which the files do not have, stays: `remove_orphans: true` removes it",
        );
        app.context.log(LogStream::Warn, &line);
    }
    let mine = [format!("{}={}", labels::PROJECT, app.name())];
    let mut containers = engine.containers(&mine).await?;
    containers.retain(|container| doomed.containers.contains(&container.name));
    for wave in waves(app, &containers) {
        let ended = join_all(wave.into_iter().map(|container| end(app, engine, container, options))).await;
        ended.into_iter().collect::<Result<(), _>>()?;
    }
    for name in &doomed.networks {
        engine.remove_network(name).await?;
        app.context.log(LogStream::Info, &format!("removed network {name}"));
    }
    for name in &doomed.volumes {
        engine.remove_volume(name).await?;
        app.context.log(LogStream::Info, &format!("removed volume {name}"));
    }
    Ok(())
}

async fn end(app: &App<'_>, engine: &Engine, container: &ContainerSummary, options: &Options) -> Result<(), Failure> {
    app.progress(&container.name, "stopping");
    engine.stop(&container.id, options.grace.map(|span| span.0)).await?;
    engine.remove(&container.id, options.volumes).await?;
    app.context.log(LogStream::Info, &format!("removed container {}", container.name));
    Ok(())
}
