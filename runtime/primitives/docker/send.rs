use std::sync::Arc;

use serde_json::Value;

use super::images::IMAGE;
use super::{ANSWER, Foreseen, engine, method, needs, touches};
use crate::drivers::docker::{Engine, Layered, Reference};
use crate::primitive::{
    Action, ByteSize, Call, Change, Context, Effect, Failure, FailureKind, LogStream, Need, Outcome, Prediction,
    Primitive, Recovery, Span, Spec, Touches, text_of,
};
use crate::primitives::on_engine::{engine_of, image, machine};

crate::options! {
    /// Options of `send_image`.
    pub struct Options {
        /// The engine that has the image: a `docker` or `ssh` handle, or an address. The local one when left out.
        from: Option<Value>,
        /// How long it may take.
        timeout: Span = Span::seconds(1800),
    }
}

/// Brings an image from another engine.
pub struct SendImage;

static SEND_IMAGE: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "send_image",
        &[IMAGE],
        "Sends an image from this machine's engine to this one, without a registry and without the layers it has already.",
        r#"docker(ssh("web-1")).send_image("shop/api:v2");"#,
    )
};

impl Primitive for SendImage {
    fn spec(&self) -> &'static Spec {
        &SEND_IMAGE
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        let from = call.options.get("from").filter(|from| !from.is_null());
        let from = from.and_then(|from| engine_of(from).ok()).filter(|from| !from.is_null());
        let from = from.map(|from| machine(&text_of(Some(&from))));
        needs(&SEND_IMAGE, call, [call.needed(0)]).into_iter().chain(from).collect()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let (from, to) = (source(context, &options)?, engine(context, call)?);
        let reference = Reference::parse(call.str(0))?.to_string();
        let foreseen = foreseen(context, call, &from, &to, &reference)?;
        if foreseen.outcome.changed != Some(true) {
            return Ok(foreseen.outcome);
        }
        let folder = context.marker_folder();
        std::fs::create_dir_all(&folder).map_err(|error| Failure::system("make a folder for the image", &error))?;
        let archive = folder.join("image.tar");
        let sending = async {
            let image = from.layered(&reference).await?.ok_or_else(|| missing(&reference))?;
            let shared = to.shared_layers(&image).await?;
            from.save(&reference, &archive).await?;
            let sent = match to.load(&reference, &archive, shared).await {
                // An engine that stores images in another way wants all of them.
                Err(failure) if shared > 0 => {
                    context.log(LogStream::Warn, &format!("sending all layers after all: {failure}"));
                    to.load(&reference, &archive, 0).await?
                }
                sent => sent?,
            };
            match to.layered(&reference).await? {
                Some(arrived) if arrived.is(&image) => Ok((image.layers.len() - shared, image.layers.len(), sent)),
                _ => {
                    let message = format!("the image `{reference}` arrived as another one");
                    Err(Failure::new(FailureKind::Check, message))
                }
            }
        };
        let sent = context.wait(&format!("sending `{reference}`"), options.timeout.0, sending);
        let _ = std::fs::remove_dir_all(&folder);
        let (layers, all, size) = sent?;
        Ok(foreseen.outcome.note(format!("{layers} of {all} layers, {}", ByteSize(size))))
    }

    /// What is there already is not sent again.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn leaves_marker(&self, _: &Call) -> bool {
        true
    }

    fn clean_up(&self, context: &Context<'_>, _: &Call) {
        let _ = std::fs::remove_dir_all(context.marker_folder());
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("image", None))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let (from, to) = (source(context, &options)?, engine(context, call)?);
        let reference = Reference::parse(call.str(0))?.to_string();
        if image::is_planned(context, &reference).is_some() {
            return Ok(Prediction::one(
                change(call, &reference, Action::Update).only_if("another image comes of it"),
                true,
            ));
        }
        foreseen(context, call, &from, &to, &reference).map(Foreseen::prediction)
    }
}

fn source(context: &Context<'_>, options: &Options) -> Result<Arc<Engine>, Failure> {
    let from = options.from.as_ref().map(engine_of).transpose()?;
    context.drivers.docker(from.as_ref().and_then(Value::as_str))
}

fn foreseen(
    context: &Context<'_>,
    call: &Call,
    from: &Engine,
    to: &Engine,
    reference: &str,
) -> Result<Foreseen, Failure> {
    let looking = async { Ok((from.layered(reference).await?, to.layered(reference).await?)) };
    let (wanted, present): (Option<Layered>, Option<Layered>) =
        context.wait(&format!("looking for `{reference}`"), ANSWER, looking)?;
    let wanted = wanted.ok_or_else(|| missing(reference))?;
    Ok(match present {
        Some(present) if present.is(&wanted) => Foreseen::nothing(false),
        Some(_) => Foreseen::change(true, change(call, reference, Action::Update)),
        None => Foreseen::change(true, change(call, reference, Action::Create)),
    })
}

fn change(call: &Call, reference: &str, action: Action) -> Change {
    let host = call.receiver.get("host").and_then(Value::as_str).unwrap_or("the local engine");
    Change::new(action, format!("image {reference} on {host}"))
}

fn missing(reference: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no image `{reference}` to send"))
        .hint("build or pull it first, or name the engine that has it with the option `from`")
}
