use std::collections::BTreeMap;

use serde_json::json;

use super::login::login;
use super::pull::shown;
use super::{engine, method};
use crate::drivers::docker::Reference;
use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Probe, Span, Spec, Ty};

crate::options! {
    /// Options of `push`.
    pub struct Options {
        /// `#{ username, password }` for the registry; else that of the project file or of `docker login`.
        login: Option<BTreeMap<String, String>>,
        /// How long at most.
        timeout: Span = Span::seconds(1_800),
    }
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

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let reference = Reference::parse(call.str(0))?;
        let login = login(context, options.login, &reference.registry)?;
        let engine = engine(context, call)?;
        let work = async {
            // Only the registry knows whether the tag moves.
            let before = match engine.registry_digest(&reference, login.as_ref()).await {
                Ok(digest) => Some(digest),
                Err(failure) if failure.kind == FailureKind::Unreachable => return Err(failure),
                Err(_) => None,
            };
            let mut progress = |transfer| context.progress(shown(&reference.to_string(), transfer));
            let digest = engine.push(&reference, login.as_ref(), &mut progress).await?;
            Ok((before.as_ref() != Some(&digest), digest))
        };
        let (changed, digest) = context.wait(&format!("pushing `{reference}`"), options.timeout.0, work)?;
        let value = json!({ "reference": reference.to_string(), "digest": digest, "changed": changed });
        Ok(Outcome { changed: Some(changed), ..value.into() })
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // What is there already is not transferred again.
    }
}
