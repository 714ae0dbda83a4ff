use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::images::value;
use super::login::login;
use super::{ask, engine, method, needs, touches};
use crate::drivers::docker::{BuildRequest, BuildStep, Engine, Reference};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, LogStream, Need, Outcome, Prediction, Primitive,
    Progress, Recovery, Span, Spec, Touches, Ty, text_of, unknown,
};
use crate::primitives::on_engine::image;

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

    fn needs(&self, call: &Call) -> Vec<Need> {
        let tags = call.options.get("tags").and_then(Value::as_array).filter(|tags| !tags.is_empty());
        // An image without a name goes by its folder.
        let names =
            tags.map_or_else(|| vec![call.needed(0)], |tags| tags.iter().map(|tag| text_of(Some(tag))).collect());
        let mut needs = needs(&SPEC, call, names);
        needs.push(Need::read(call.needed(0)));
        needs
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
            folder: context.real(call.str(0))?,
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
        let outcome = context.wait(&format!("building `{}`", call.str(0)), options.timeout.0, work)?;
        // An image without a name is new or not: nobody can tell.
        let nameless = request.tags.is_empty().then(|| nameless(call));
        Ok(outcome.made(nameless))
    }

    /// What was built already comes from the cache; what was there before is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("image", None))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let tags = options.tags.iter().map(|tag| Reference::parse(tag)).collect::<Result<Vec<_>, _>>()?;
        let file = context.resolve(call.str(0)).join(&options.dockerfile);
        if !file.is_file() {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no `{}`", file.display())));
        }
        let mut changes = Vec::new();
        for tag in tags.iter().map(ToString::to_string) {
            let present = ask(context, call, "looking at images", async |engine| engine.image(&tag).await)?;
            changes.push(image::built(&tag, present.is_some()));
        }
        let certain = changes.iter().any(|change| change.condition.is_none());
        let changed =
            if certain || tags.is_empty() { true.into() } else { unknown("whether the image is another one") };
        let id = unknown(format!("what building `{}` gives", call.str(0)));
        let mut value = json!({ "id": id, "changed": changed });
        if let Some(first) = tags.first() {
            value["reference"] = first.to_string().into();
        } else {
            changes.push(nameless(call));
        }
        Ok(Prediction { value, changes })
    }
}

fn nameless(call: &Call) -> Change {
    Change::new(Action::Create, format!("image of {}", call.str(0)))
}

async fn build(context: &Context<'_>, engine: &Engine, request: &BuildRequest) -> Result<Outcome, Failure> {
    let tags: Vec<String> = request.tags.iter().map(ToString::to_string).collect();
    let before = image::before(context, engine, tags.iter().map(String::as_str)).await?;
    let mut on_step = |step| match step {
        BuildStep::Instruction(number, total, text) => {
            context.log(LogStream::Info, &format!("{number}/{total} {text}"));
            let item = tags.first().cloned().unwrap_or_default();
            context.progress(Progress {
                item,
                doing: text,
                current: Some(number),
                total: Some(total),
                ..Progress::default()
            });
        }
        BuildStep::Line(line) => context.log(LogStream::Stdout, &line),
    };
    let image = engine.build(request, &mut on_step).await?;
    let changes: Vec<Change> = tags.iter().filter_map(|tag| before.change(tag, &image.id)).collect();
    let changed = tags.first().is_none_or(|first| before.change(first, &image.id).is_some());
    let outcome = Outcome { changed: Some(changed), ..value(&image, request.tags.first(), changed).into() };
    Ok(outcome.note(if changed { "new image" } else { "unchanged" }).made(changes))
}
