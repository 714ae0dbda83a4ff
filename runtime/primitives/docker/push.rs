use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::login::login;
use super::pull::shown;
use super::{engine, method, needs, touches};
use crate::drivers::docker::{Engine, Login, Reference};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Recovery,
    Sink, Span, Spec, Touches, Ty, unknown,
};
use crate::primitives::on_engine::{image, noted};

crate::options! {
    /// Options of `push`.
    pub struct Options {
        /// `#{ username, password }` for the registry; else that of the project file or of `docker login`.
        login: Option<BTreeMap<String, String>>,
        /// How long at most.
        timeout: Span = Span::seconds(1_800),
    }
}

/// The digest that the tag had in its registry before this call.
#[derive(Serialize, Deserialize)]
struct Before {
    digest: Option<String>,
}

/// Pushes an image.
pub struct Push;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "push",
        &[Arg::new("image", Ty::Str, "The image: `registry/name:tag`.")],
        "Pushes an image to the registry in its name and returns its digest there.",
        r#"let digest = docker().push("ghcr.io/acme/api:v2").digest;"#,
    )
};

impl Primitive for Push {
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
        let work = async {
            let before = match noted::<Before>(context) {
                Some(before) => before.digest,
                None => in_registry(&engine, &reference, login.as_ref()).await?,
            };
            context.mark(&json!(Before { digest: before.clone() }))?;
            let mut progress = |transfer| context.progress(shown(&reference.to_string(), transfer));
            let digest = engine.push(&reference, login.as_ref(), &mut progress).await?;
            Ok((before, digest))
        };
        let (before, digest) = context.wait(&format!("pushing `{reference}`"), options.timeout.0, work)?;
        let changed = before.as_ref() != Some(&digest);
        let value = json!({ "reference": reference.to_string(), "digest": digest, "changed": changed });
        let change = changed.then(|| change(&reference, before.as_deref()).detail(format!("digest: {digest}")));
        Ok(Outcome { changed: Some(changed), ..value.into() }.made(change))
    }

    /// What is there already is not transferred again; what was there before is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("registry", None))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let reference = Reference::parse(call.str(0))?;
        let login = login(context, options.login, &reference.registry)?;
        let engine = engine(context, call)?;
        let name = reference.to_string();
        let (present, before) = context.wait(&format!("asking about `{reference}`"), super::ANSWER, async {
            Ok((engine.image(&name).await?, in_registry(&engine, &reference, login.as_ref()).await?))
        })?;
        let planned = image::is_planned(context, &name);
        if present.is_none() && planned.is_none() {
            let message = format!("cannot push `{reference}`: there is no such image here");
            return Err(Failure::new(FailureKind::NotFound, message).hint("build it, or give it that name with `tag`"));
        }
        let pushed = |digest: &String| {
            let known = |present: &crate::drivers::docker::Image| {
                present.digests.contains(&format!("{}@{digest}", reference.name()))
            };
            planned.is_none() && present.as_ref().is_some_and(known)
        };
        if let Some(digest) = before.as_ref().filter(|digest| pushed(digest)) {
            let value = json!({ "reference": name, "digest": digest, "changed": false });
            return Ok(Prediction::nothing(value));
        }
        let mut change = change(&reference, before.as_deref());
        let digest = unknown(format!("the digest of {reference}"));
        let mut value = json!({ "reference": name, "digest": digest, "changed": true });
        // The registry may have just that, from elsewhere.
        if before.is_some() {
            let condition = "the registry has another image under that name";
            value["changed"] = unknown(format!("whether {condition}"));
            change = change.only_if(condition);
        }
        Ok(Prediction::one(change, value))
    }
}

fn change(reference: &Reference, before: Option<&str>) -> Change {
    let action = if before.is_some() { Action::Update } else { Action::Create };
    Change::new(action, format!("image {reference} in its registry"))
}

/// Only the registry knows whether the tag moves.
async fn in_registry(engine: &Engine, reference: &Reference, login: Option<&Login>) -> Result<Option<String>, Failure> {
    match engine.registry_digest(reference, login).await {
        Ok(digest) => Ok(Some(digest)),
        Err(failure) if failure.kind == FailureKind::Unreachable => Err(failure),
        Err(_) => Ok(None),
    }
}
