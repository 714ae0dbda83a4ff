use std::collections::BTreeMap;

use serde_json::json;

use super::images::value;
use super::login::login;
use super::{engine, method, needs, touches};
use crate::drivers::docker::{Engine, Image, Login, Reference, Transfer};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, Need, Outcome, Prediction, Primitive, Progress, Recovery, Sink, Span, Spec,
    Touches, Ty, unknown,
};
use crate::primitives::on_engine::image;

crate::options! {
    /// Options of `pull`.
    pub struct Options {
        /// `#{ username, password }` for the registry; else that of the project file or of `docker login`.
        login: Option<BTreeMap<String, String>>,
        /// The platform, as in `"linux/arm64"`, when the image has several.
        platform: Option<String>,
        /// How long at most.
        timeout: Span = Span::seconds(1_800),
    }
}

/// Pulls an image.
pub struct Pull;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "pull",
        &[Arg::new("image", Ty::Str, "The image: `name:tag` or `name@sha256:…`; `:latest` when neither is written.")],
        "Pulls an image from its registry and returns it, with its digest there.",
        r#"let api = docker().pull("ghcr.io/acme/api:v2");"#,
    )
};

impl Primitive for Pull {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&SPEC, call, [call.needed(0)])
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("login", "the login at a registry")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let reference = Reference::parse(call.str(0))?;
        let login = login(context, options.login, &reference.registry)?;
        let engine = engine(context, call)?;
        let name = reference.to_string();
        let work = async {
            let before = image::before(context, &engine, [name.as_str()]).await?;
            let (image, _) = pull(context, &engine, &reference, options.platform.as_deref(), login.as_ref()).await?;
            Ok((before, image))
        };
        let (before, now) = context.wait(&format!("pulling `{reference}`"), options.timeout.0, work)?;
        let change = before.change(&name, &now.id);
        let changed = change.is_some();
        let outcome = Outcome { changed: Some(changed), ..value(&now, Some(&reference), changed).into() };
        Ok(outcome.note(if changed { "new image" } else { "up to date" }).made(change))
    }

    /// What is there already is not transferred again; what was there before is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("image", None))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let reference = Reference::parse(call.str(0))?;
        let login = login(context, options.login, &reference.registry)?;
        let engine = engine(context, call)?;
        let asking = image::foresee(context, &engine, &reference, login.as_ref());
        let foreseen = context.wait(&format!("asking about `{reference}`"), super::ANSWER, asking)?;
        let value = match &foreseen.present {
            Some(present) if !foreseen.is_new => value(present, Some(&reference), false),
            _ => json!({
                "id": unknown(format!("the id of image {reference}")),
                "reference": reference.to_string(),
                "digest": foreseen.digest,
                "changed": true,
            }),
        };
        Ok(Prediction { value, changes: foreseen.change.into_iter().collect() })
    }
}

/// Pulls, and says whether the engine has another image under that name than before.
pub(super) async fn pull(
    context: &Context<'_>,
    engine: &Engine,
    reference: &Reference,
    platform: Option<&str>,
    login: Option<&Login>,
) -> Result<(Image, bool), Failure> {
    let before = engine.image(&reference.to_string()).await?;
    let mut progress = |transfer| context.progress(shown(&reference.to_string(), transfer));
    let image = engine.pull(reference, platform, login, &mut progress).await?;
    let changed = before.is_none_or(|before| before.id != image.id);
    Ok((image, changed))
}

/// How far a transfer is, for people.
pub(super) fn shown(image: &str, transfer: Transfer) -> Progress {
    let item = if transfer.layer.is_empty() { image.to_owned() } else { transfer.layer };
    Progress {
        item,
        doing: transfer.doing.to_lowercase(),
        current: transfer.current,
        total: transfer.total,
        ..Progress::default()
    }
}
