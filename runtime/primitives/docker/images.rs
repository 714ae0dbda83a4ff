use serde_json::{Value, json};

use super::{Foreseen, ask, converge, is_there, method, needs, touches, without};
use crate::drivers::docker::Reference;
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Recovery,
    Spec, Touches, Ty,
};
use crate::primitives::on_engine::image;

/// The argument that names an image.
pub(super) const IMAGE: Arg = Arg::new("image", Ty::Str, "The image: `name:tag`, `name@sha256:…` or an id.");

/// Looks for an image.
pub struct Image;

static IMAGE_SPEC: Spec = method(
    "image",
    &[IMAGE],
    "Returns what the engine knows about an image (id, tags, digests, size, ports), or `()` when it does not have it.",
    r#"if docker().image("shop/api:v2") == () { throw "build it first" }"#,
);

impl Primitive for Image {
    fn spec(&self) -> &'static Spec {
        &IMAGE_SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&IMAGE_SPEC, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let found = ask(context, call, "inspecting an image", async |engine| engine.image(&name(call.str(0))?).await)?;
        Ok(json!(found).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("image", None))
    }
}

crate::options! {
    /// Options of `images`.
    pub struct ListOptions {
        /// Only images of this repository, as in `"ghcr.io/acme/app"`.
        repository: Option<String>,
    }
}

/// Lists images.
pub struct Images;

static IMAGES: Spec = Spec {
    options: Some(ListOptions::SPEC),
    ..method(
        "images",
        &[],
        "Lists the images the engine has, newest first.",
        r#"let versions = docker().images(#{ repository: "shop/api" });"#,
    )
};

impl Primitive for Images {
    fn spec(&self) -> &'static Spec {
        &IMAGES
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&IMAGES, call, ["*".to_owned()])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: ListOptions = call.options()?;
        let wanted = options.repository.as_deref().map(Reference::parse).transpose()?.map(|wanted| wanted.name());
        let mut found = ask(context, call, "listing images", async |engine| engine.images().await)?;
        if let Some(wanted) = wanted {
            let of_it = |name: &String| Reference::parse(name).is_ok_and(|reference| reference.name() == wanted);
            found.retain(|image| image.tags.iter().chain(&image.digests).any(of_it));
        }
        Ok(json!(found).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("image", None))
    }

    fn observed(&self, _: &Call, result: &Value) -> Value {
        result.as_array().into_iter().flatten().map(|image| without(image, &["created", "size"])).collect()
    }
}

/// Gives an image another name.
pub struct Tag;

static TAG: Spec = Spec {
    effect: Effect::Change,
    ..method(
        "tag",
        &[IMAGE, Arg::new("name", Ty::Str, "The further name: `name:tag`.")],
        "Gives an image a further name. Returns whether it was new.",
        r#"docker().tag("shop/api:v2", "shop/api:previous");"#,
    )
};

impl Primitive for Tag {
    fn spec(&self) -> &'static Spec {
        &TAG
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&TAG, call, [call.needed(0), call.needed(1)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let new = Reference::parse(call.str(1))?;
        converge(
            context,
            || tagging(context, call),
            |foreseen| {
                // The name may stand for another image by now.
                let id = foreseen.proof.as_str().unwrap_or_default();
                ask(context, call, "tagging an image", async |engine| engine.tag(id, &new).await.map(drop))
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("image", None))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        tagging(context, call).map(Foreseen::prediction)
    }
}

crate::options! {
    /// Options of `remove_image`.
    pub struct RemoveOptions {
        /// Also when other names or stopped containers still refer to it.
        force: bool = false,
    }
}

/// Removes an image.
pub struct RemoveImage;

static REMOVE_IMAGE: Spec = Spec {
    options: Some(RemoveOptions::SPEC),
    effect: Effect::Destroy,
    ..method(
        "remove_image",
        &[IMAGE],
        "Takes a name away, and the image with its last name. Returns whether there was one.",
        r#"docker().remove_image("shop/api:v1");"#,
    )
};

impl Primitive for RemoveImage {
    fn spec(&self) -> &'static Spec {
        &REMOVE_IMAGE
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&REMOVE_IMAGE, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: RemoveOptions = call.options()?;
        let image = name(call.str(0))?;
        converge(
            context,
            || removing(context, call),
            |_| {
                ask(context, call, "removing an image", async |engine| {
                    engine.remove_image(&image, options.force).await.map(drop)
                })
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("image", None))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        removing(context, call).map(Foreseen::prediction)
    }
}

fn tagging(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let new = Reference::parse(call.str(1))?;
    if new.digest.is_some() {
        let message = format!("argument `name`: `{new}` has a digest, a tag is needed");
        return Err(Failure::new(FailureKind::Argument, message));
    }
    let (from, to) = (name(call.str(0))?, new.to_string());
    let (source, present) = ask(context, call, "looking at images", async |engine| {
        Ok((engine.image(&from).await?, engine.image(&to).await?))
    })?;
    let before = present.as_ref().map(|image| image.id.as_str());
    let change = match (&source, image::is_planned(context, &from)) {
        (Some(source), None) => image::came(&to, before, &source.id),
        (None, None) => {
            let message = format!("cannot tag image `{from}` as `{to}`: there is no such image");
            return Err(Failure::new(FailureKind::NotFound, message));
        }
        // Whatever comes under the one name gets the other.
        (_, Some(planned)) => {
            let action = if before.is_some() { Action::Update } else { Action::Create };
            Some(Change { condition: planned.condition, ..Change::new(action, format!("image {to}")) })
        }
    };
    Ok(match change {
        Some(change) => Foreseen::change(true, change).proof(source.map_or(from, |source| source.id)),
        None => Foreseen::nothing(false),
    })
}

fn removing(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let image = name(call.str(0))?;
    let found = ask(context, call, "looking at images", async |engine| engine.image(&image).await)?;
    let what = format!("image {image}");
    let there = is_there(context, &what, found.is_some());
    Ok(if there { Foreseen::change(true, Change::new(Action::Remove, what)) } else { Foreseen::nothing(false) })
}

/// An id as it is, a reference with its tag.
pub(super) fn name(text: &str) -> Result<String, Failure> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_id = hex.len() >= 12 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { Ok(text.to_owned()) } else { Ok(Reference::parse(text)?.to_string()) }
}

/// An image as a script gets it after a pull or a build.
pub(super) fn value(image: &crate::drivers::docker::Image, reference: Option<&Reference>, changed: bool) -> Value {
    let mut value = json!(image);
    if let Value::Object(map) = &mut value {
        map.shift_remove("env");
        // It changes whenever the same image gets the same name again.
        map.shift_remove("tagged");
        if let Some(reference) = reference {
            map.insert("reference".into(), reference.to_string().into());
            map.insert("digest".into(), json!(image.digest_in(reference)));
        }
        map.insert("changed".into(), changed.into());
    }
    value
}
