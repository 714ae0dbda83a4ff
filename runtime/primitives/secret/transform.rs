//! Methods of a secret that give another one.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256 as Sha};

use super::SECRET;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, MakeSecret, Need, Outcome, Primitive, Spec, Ty,
};
use crate::secrets::SecretText;

/// How much work one guess at a password is, as a power of two; what Apache's `htpasswd` takes too.
const COST: u32 = 10;

/// bcrypt looks at no more bytes than these.
const MOST_FOR_BCRYPT: usize = 72;

/// A method: what it is called, and what it makes.
pub(super) struct Transform {
    spec: &'static Spec,
    make: fn(&Call) -> Result<MakeSecret, Failure>,
}

const fn method(name: &'static str, args: &'static [Arg], summary: &'static str, example: &'static str) -> Spec {
    Spec {
        name,
        receiver: Some(SECRET),
        args,
        options: None,
        returns: Some(SECRET),
        effect: Effect::Pure,
        summary,
        example,
    }
}

pub(super) static BASE64: Transform = Transform {
    spec: &method(
        "base64",
        &[],
        "The secret in base64, with padding (RFC 4648, section 4).",
        r#"let token = secret("API_TOKEN").base64()"#,
    ),
    make: |_| Ok(of(|text| Ok(STANDARD.encode(text)))),
};

pub(super) static URL_ENCODE: Transform = Transform {
    spec: &method(
        "url_encode",
        &[],
        "The secret as a part of a URL: everything but letters, digits and `-_.~` as `%XX` (RFC 3986, section 2.1).",
        r#"let url = `postgres://app:${secret("DB_PASSWORD").url_encode()}@db/app`"#,
    ),
    make: |_| Ok(of(|text| Ok(url_encoded(text)))),
};

pub(super) static SHA256: Transform = Transform {
    spec: &method(
        "sha256",
        &[],
        "The SHA-256 of the secret in 64 hexadecimal digits; it is a secret too.",
        r#"let digest = secret("WEBHOOK_KEY").sha256()"#,
    ),
    make: |_| {
        Ok(of(|text| {
            Ok(Sha::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            }))
        }))
    },
};

pub(super) static BCRYPT: Transform = Transform {
    spec: &method(
        "bcrypt",
        &[Arg::optional("cost", Ty::Int, "How much work one guess is, as a power of two: 4 to 31; 10 when left out.")],
        "The secret as a bcrypt hash (`$2b$`): the same each time as long as the secret is.",
        r#"let hash = secret("ADMIN_PASSWORD").bcrypt(12)"#,
    ),
    make: |call| {
        let cost = match call.optional(0).and_then(Value::as_i64) {
            None => COST,
            Some(cost) => u32::try_from(cost).ok().filter(|cost| (4..=31).contains(cost)).ok_or_else(|| {
                Failure::new(FailureKind::Argument, format!("argument `cost` must be between 4 and 31, got {cost}"))
            })?,
        };
        Ok(Box::new(move |texts, salt| hashed(&whole(texts), cost, salt, bcrypt::Version::TwoB)))
    },
};

pub(super) static HTPASSWD: Transform = Transform {
    spec: &method(
        "htpasswd",
        &[Arg::new("user", Ty::Str, "The name of the user.")],
        "A line for an `htpasswd` file: the user and the bcrypt hash (`$2y$`) of the secret.",
        r#"file("nginx/users").write(secret("STATUS_PASSWORD").htpasswd("ops") + "\n", #{ mode: "0600" });"#,
    ),
    make: |call| {
        let user = call.str(0).to_owned();
        if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(Failure::new(
                FailureKind::Argument,
                format!("argument `user`: {user:?} cannot be a user's name"),
            ));
        }
        Ok(Box::new(move |texts, salt| {
            let hash = hashed(&whole(texts), COST, salt, bcrypt::Version::TwoY)?;
            Ok(SecretText::new(format!("{user}:{}", hash.expose())))
        }))
    },
};

impl Primitive for Transform {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn needs(&self, _call: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let how = match call.optional(0) {
            Some(Value::String(text)) => format!("{} {text}", self.spec.name),
            Some(number) => format!("{} {number}", self.spec.name),
            None => self.spec.name.to_owned(),
        };
        let make = (self.make)(call)?;
        context.services.make_secret(&how, &[call.receiver_str("text")], make).map(Outcome::from)
    }
}

/// What a function of the whole text makes.
fn of(make: fn(&str) -> Result<String, Failure>) -> MakeSecret {
    Box::new(move |texts, _| make(&whole(texts)).map(SecretText::new))
}

/// The text of the one secret that a method is called on.
fn whole(texts: &[SecretText]) -> String {
    texts.iter().map(SecretText::expose).collect()
}

fn hashed(text: &str, cost: u32, salt: [u8; 16], version: bcrypt::Version) -> Result<SecretText, Failure> {
    let refuse =
        |why: String| Failure::new(FailureKind::Secret, format!("the secret cannot be hashed with bcrypt: {why}"));
    if text.len() > MOST_FOR_BCRYPT {
        return Err(refuse(format!("it is longer than {MOST_FOR_BCRYPT} bytes")).hint("hash `.sha256()` of it"));
    }
    if text.contains('\0') {
        return Err(refuse("it has a zero byte in it".into()));
    }
    let hash = bcrypt::hash_with_salt(text, cost, salt).map_err(|error| refuse(error.to_string()))?;
    Ok(SecretText::new(hash.format_for_version(version)))
}

fn url_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
