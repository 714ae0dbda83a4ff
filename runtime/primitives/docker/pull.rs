use std::collections::BTreeMap;

use super::images::value;
use super::login::login;
use super::{engine, method};
use crate::drivers::docker::{Engine, Image, Login, Reference, Transfer};
use crate::primitive::{Arg, Call, Context, Effect, Failure, Outcome, Primitive, Probe, Progress, Span, Spec, Ty};

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

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let reference = Reference::parse(call.str(0))?;
        let login = login(context, options.login, &reference.registry)?;
        let engine = engine(context, call)?;
        let work = pull(context, &engine, &reference, options.platform.as_deref(), login.as_ref());
        let (image, changed) = context.wait(&format!("pulling `{reference}`"), options.timeout.0, work)?;
        let outcome = Outcome { changed: Some(changed), ..value(&image, Some(&reference), changed).into() };
        Ok(outcome.note(if changed { "new image" } else { "up to date" }))
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // What is there already is not transferred again.
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
    Progress { item, doing: transfer.doing.to_lowercase(), current: transfer.current, total: transfer.total }
}
