//! `compose.down`: takes an application away.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::app::App;
use super::{count, is_anonymous};
use crate::compose::labels;
use crate::drivers::docker::{ContainerSummary, Engine};
use crate::primitive::{Call, Context, Effect, Failure, LogStream, Outcome, Primitive, Probe, Span, Spec};

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

    fn preview(&self, call: &Call) -> String {
        let volumes = call.options.get("volumes").and_then(serde_json::Value::as_bool).unwrap_or(false);
        let what = if volumes { " with its volumes and their data" } else { "" };
        format!("take down {}{what}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let app = App::open(context, call)?;
        let removed = context.wait("taking the application down", LIMIT, take_down(&app, &options))?;
        let value = json!({
            "containers": removed.containers,
            "networks": removed.networks,
            "volumes": removed.volumes,
            "changed": !removed.is_empty(),
        });
        if removed.is_empty() {
            return Ok(Outcome::unchanged(value).note("nothing was there"));
        }
        let parts = [("container", &removed.containers), ("network", &removed.networks), ("volume", &removed.volumes)];
        let parts: Vec<String> =
            parts.iter().filter(|(_, names)| !names.is_empty()).map(|(noun, names)| count(names.len(), noun)).collect();
        Ok(Outcome::changed(value).note(format!("{} removed", parts.join(", "))))
    }

    /// What is gone already is no trouble the second time.
    fn probe(&self, _context: &Context<'_>, _call: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone)
    }
}

#[derive(Default)]
struct Removed {
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
}

impl Removed {
    fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.networks.is_empty() && self.volumes.is_empty()
    }
}

async fn take_down(app: &App<'_>, options: &Options) -> Result<Removed, Failure> {
    let engine = &app.engine;
    let mine = [format!("{}={}", labels::PROJECT, app.name())];
    let mut removed = Removed::default();
    let containers = engine.containers(&mine).await?;
    let service_of = |container: &ContainerSummary| container.labels.get(labels::SERVICE).cloned().unwrap_or_default();
    let known = |service: &str| app.model.services.contains_key(service) || app.model.disabled.contains_key(service);
    let (ours, orphans): (Vec<_>, Vec<_>) =
        containers.into_iter().partition(|container| options.remove_orphans || known(&service_of(container)));
    for orphan in &orphans {
        let line = format!(
            "container `{}` of service `{}`, which the files do not have, stays: `remove_orphans: true` removes it",
            orphan.name,
            service_of(orphan)
        );
        app.context.log(LogStream::Warn, &line);
    }
    // Whoever depends on others goes first.
    let waves = app.model.order();
    let wave_of = |service: &str| waves.iter().position(|wave| wave.iter().any(|start| start.service == service));
    for wave in (0..waves.len()).rev().map(Some).chain([None]) {
        let now = ours.iter().filter(|container| wave_of(&service_of(container)) == wave);
        let ended = join_all(now.map(|container| end(app, engine, container, options))).await;
        for ended in ended {
            let (name, anonymous) = ended?;
            removed.containers.push(name);
            removed.volumes.extend(anonymous);
        }
    }
    for network in engine.networks(&mine).await? {
        match engine.remove_network(&network.id).await {
            Ok(_) => removed.networks.push(network.name),
            Err(_) if !orphans.is_empty() => {}
            Err(failure) => return Err(failure),
        }
    }
    if options.volumes {
        let external = |name: &String| app.model.volumes.values().any(|volume| volume.external && volume.name == *name);
        for volume in engine.volumes(&mine).await?.into_iter().filter(|volume| !external(&volume.name)) {
            engine.remove_volume(&volume.name).await?;
            removed.volumes.push(volume.name);
        }
    }
    for (noun, names) in [("network", &removed.networks), ("volume", &removed.volumes)] {
        for name in names {
            app.context.log(LogStream::Info, &format!("removed {noun} {name}"));
        }
    }
    Ok(removed)
}

/// Ends a container; returns its name and the anonymous volumes that went with it.
async fn end(
    app: &App<'_>,
    engine: &Engine,
    container: &ContainerSummary,
    options: &Options,
) -> Result<(String, Vec<String>), Failure> {
    app.progress(&container.name, "stopping");
    engine.stop(&container.id, options.grace.map(|span| span.0)).await?;
    let mounts = engine.find(&container.id).await?.map(|found| found.mounts).unwrap_or_default();
    engine.remove(&container.id, options.volumes).await?;
    app.context.log(LogStream::Info, &format!("removed container {}", container.name));
    let mut anonymous = Vec::new();
    if options.volumes {
        // Those that came over from a container before have a name for the engine, and would stay for ever.
        for mount in mounts.iter().filter(|mount| mount.kind == "volume" && is_anonymous(&mount.name)) {
            engine.remove_volume(&mount.name).await?;
            anonymous.push(mount.name.clone());
        }
    }
    Ok((container.name.clone(), anonymous))
}
