use std::collections::BTreeMap;

use super::images::value;
use super::login::login;
use super::{engine, method};
use crate::drivers::docker::{BuildRequest, BuildStep, Engine, Reference};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, LogStream, Outcome, Primitive, Probe, Progress, Span, Spec, Ty,
};

crate::options! {
    /// Options of `build`.
    pub struct Options {
        /// Names of the image: `"name:tag"`.
        tags: Vec<String>,
        /// The Dockerfile, relative to the folder.
        dockerfile: String = "Dockerfile".into(),
        /// Build arguments. They stay readable in the image: no place for secrets.
        args: BTreeMap<String, String>,
        /// The stage to stop at.
        target: Option<String>,
        /// Labels of the image.
        labels: BTreeMap<String, String>,
        /// Build every layer anew.
        no_cache: bool = false,
        /// Ask the registries for newer base images.
        pull: bool = false,
        /// The platform, as in `"linux/arm64"`.
        platform: Option<String>,
        /// The network of `RUN` instructions: `"host"`, `"none"`.
        network: Option<String>,
        /// How long at most.
        timeout: Span = Span::seconds(3_600),
    }
}

/// Builds an image.
pub struct Build;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "build",
        &[Arg::new("folder", Ty::Str, "The folder whose files the build may use, relative to the project's folder.")],
        "Builds an image from a folder, leaving out what its `.dockerignore` says, and returns it.",
        r#"docker().build("api", #{ tags: ["shop/api:v2"], args: #{ VERSION: "v2" } });"#,
    )
};

impl Primitive for Build {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let tags = options.tags.iter().map(|tag| Reference::parse(tag)).collect::<Result<Vec<_>, _>>()?;
        let mut logins = BTreeMap::new();
        for registry in context.project.file().registries.keys() {
            // Only base images need one: without its password a registry is left out, and says so if it is asked.
            if let Ok(Some(login)) = login(context, None, registry) {
                logins.insert(registry.clone(), login);
            }
        }
        let request = BuildRequest {
            folder: context.resolve(call.str(0)),
            dockerfile: options.dockerfile.into(),
            tags,
            args: options.args,
            target: options.target,
            labels: options.labels,
            no_cache: options.no_cache,
            pull: options.pull,
            platform: options.platform,
            network: options.network,
            logins,
        };
        let engine = engine(context, call)?;
        let work = build(context, &engine, &request);
        context.wait(&format!("building `{}`", call.str(0)), options.timeout.0, work)
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // What was built already comes from the cache.
    }
}

async fn build(context: &Context<'_>, engine: &Engine, request: &BuildRequest) -> Result<Outcome, Failure> {
    let name = request.tags.first();
    let before = match name {
        Some(name) => engine.image(&name.to_string()).await?,
        None => None,
    };
    let mut on_step = |step| match step {
        BuildStep::Instruction(number, total, text) => {
            context.log(LogStream::Info, &format!("{number}/{total} {text}"));
            let item = name.map(ToString::to_string).unwrap_or_default();
            context.progress(Progress { item, doing: text, current: Some(number), total: Some(total) });
        }
        BuildStep::Line(line) => context.log(LogStream::Stdout, &line),
    };
    let image = engine.build(request, &mut on_step).await?;
    let changed = before.is_none_or(|before| before.id != image.id);
    let outcome = Outcome { changed: Some(changed), ..value(&image, name, changed).into() };
    Ok(outcome.note(if changed { "new image" } else { "unchanged" }))
}
