use serde_json::Value;

use crate::primitive::{
    Arg, BlockRef, Call, Context, Effect, Failure, FailureKind, KIND, MakeSecret, Need, Outcome, Primitive, Sink, Spec,
    Ty, text_of, unknown_of, unknown_text,
};
use crate::secrets::{SecretText, replace_tokens};

/// `to_json(value)`: a value as JSON, in which a secret stays one.
///
/// The language's own form for maps would write a secret as it is, quotes and all, and handles by their types.
pub struct ToJson;

static SPEC: Spec = Spec {
    name: "to_json",
    receiver: None,
    args: &[Arg::new("value", Ty::Any, "What is to be written; a handle stands for its fields.")],
    options: None,
    returns: None,
    effect: Effect::Pure,
    summary: "A value as JSON in one line; a secret in it is escaped where it is put in its place.",
    example: r#"file("app.json").write(#{ key: secret("API_KEY") }.to_json(), #{ mode: "0600" });"#,
};

impl Primitive for ToJson {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("value", "a text of the JSON")]
    }

    fn needs(&self, _call: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let mut value = call.args.first().cloned().unwrap_or_default();
        prepare(context, &mut value)?;
        Ok(Outcome::from(Value::from(value.to_string())))
    }
}

/// Makes of a script's value what JSON has for it.
fn prepare(context: &Context<'_>, value: &mut Value) -> Result<(), Failure> {
    if let Some(what) = unknown_of(value) {
        *value = unknown_text(what).into();
    }
    if BlockRef::from_value(value).is_some() {
        return Err(Failure::new(FailureKind::Argument, "`to_json`: a closure cannot be written as JSON"));
    }
    match value {
        Value::String(text) => {
            *text = replace_tokens(text, &mut |token| {
                let secret = context.services.make_secret("json", &[token], escaped())?;
                Ok(text_of(secret.get("text")))
            })?;
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| prepare(context, item)),
        Value::Object(map) => {
            map.remove(KIND);
            map.values_mut().try_for_each(|item| prepare(context, item))
        }
        _ => Ok(()),
    }
}

/// A secret as it stands between the quotes of a string (RFC 8259, section 7).
fn escaped() -> MakeSecret {
    Box::new(|texts, _| {
        let whole: String = texts.iter().map(SecretText::expose).collect();
        let quoted = Value::String(whole).to_string();
        Ok(SecretText::new(quoted[1..quoted.len() - 1].to_owned()))
    })
}
