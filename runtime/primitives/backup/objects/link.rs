use serde_json::Value;

use super::Bucket;
use crate::drivers::bucket::Keys;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, MakeSecret, Need, Outcome, Primitive, Span, Spec, Ty,
};
use crate::secrets::SecretText;

crate::options! {
    /// Options of `bucket_link`.
    pub struct Options {
        /// How long the link holds: seven days at most.
        valid: Span = Span::seconds(60 * 60),
    }
}

/// What stands before the part of a link that makes it one: without that, it opens nothing.
const SIGNATURE: &str = "X-Amz-Signature=";

/// `bucket_link(bucket, object, #{ … })`: a presigned link.
pub struct Link;

static SPEC: Spec = Spec {
    name: "bucket_link",
    receiver: None,
    args: &[
        Arg::new(
            "bucket",
            Ty::Map,
            "The bucket, as `backup` takes it: `#{ bucket, access_key, secret_key, region, style }`.",
        ),
        Arg::new("object", Ty::Str, "The name of the object, in the folder of the bucket that was named."),
    ],
    options: Some(Options::SPEC),
    returns: Some("secret"),
    effect: Effect::Pure,
    summary: "A link by which anybody may read an object of a bucket for a while, and nothing else: a secret.",
    example: r#"let link = bucket_link(#{ bucket: "https://fra1.example.com/media", access_key: "KEY", secret_key: "SECRET" }, "a.mp4", #{ valid: "24h" });"#,
};

impl Primitive for Link {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        call.args.first().map(Bucket::needs).unwrap_or_default()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let Options { valid } = call.options()?;
        let bucket = Bucket::read(call.args.first().unwrap_or(&Value::Null), &[]).map_err(|mut failure| {
            failure.message = format!("argument `bucket`: {}", failure.message);
            failure
        })?;
        let object = call.str(1).to_owned();
        if object.is_empty() || object.starts_with('/') || object.split('/').any(|part| matches!(part, "." | "..")) {
            let message = format!("argument `object`: `{object}` is the name of no object");
            return Err(Failure::new(FailureKind::Argument, message));
        }
        // Whatever is wrong with it is said now, and not where it is used.
        let nobody = || Keys { access: String::new(), secret: String::new() };
        bucket.place.link(&object, &nobody(), valid.0)?;
        let how = format!("bucket_link {} {valid}", bucket.place.key(&object));
        let token = |name: &str| {
            let secret = context.services.secret(name)?;
            Ok::<String, Failure>(secret["text"].as_str().unwrap_or_default().to_owned())
        };
        let (access, secret) = (token(&bucket.access_key)?, token(&bucket.secret_key)?);
        let place = bucket.place.clone();
        let make: MakeSecret = Box::new(move |texts, _| {
            let text = |at: usize| texts.get(at).map(|text| text.expose().to_owned()).unwrap_or_default();
            let link = place.link(&object, &Keys { access: text(0), secret: text(1) }, valid.0)?;
            Ok(SecretText::new(link).hidden_behind(SIGNATURE))
        });
        context.services.make_secret(&how, &[&access, &secret], make).map(Outcome::from)
    }
}
