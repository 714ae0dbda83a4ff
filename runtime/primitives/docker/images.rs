use serde_json::{Value, json};

use super::{ask, made, method};
use crate::drivers::docker::Reference;
use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Probe, Spec, Ty};

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

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let found = ask(context, call, "inspecting an image", async |engine| engine.image(&name(call.str(0))?).await)?;
        Ok(json!(found).into())
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

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let new = Reference::parse(call.str(1))?;
        if new.digest.is_some() {
            let message = format!("argument `name`: `{new}` has a digest, a tag is needed");
            return Err(Failure::new(FailureKind::Argument, message));
        }
        let image = name(call.str(0))?;
        ask(context, call, "tagging an image", async |engine| engine.tag(&image, &new).await).map(made)
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // A tag that is there stays as it is.
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

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: RemoveOptions = call.options()?;
        let image = name(call.str(0))?;
        ask(context, call, "removing an image", async |engine| engine.remove_image(&image, options.force).await)
            .map(made)
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // Removing what is gone changes nothing.
    }
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
        if let Some(reference) = reference {
            map.insert("reference".into(), reference.to_string().into());
            map.insert("digest".into(), json!(image.digest_in(reference)));
        }
        map.insert("changed".into(), changed.into());
    }
    value
}
