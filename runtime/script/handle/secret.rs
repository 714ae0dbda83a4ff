//! A secret among strings: what joins it to them gives a text with its token, and what would look into it is refused.

use rhai::{Engine, EvalAltResult, ImmutableString};

use super::Handle;

pub(super) const COMPARED: &str =
    "a script never has a secret, so `==` cannot compare one: write `secret_eq(one, other)`";

type Text = Result<String, Box<EvalAltResult>>;
type Flag = Result<bool, Box<EvalAltResult>>;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("+", |handle: &mut Handle, text: ImmutableString| -> Text {
            Ok(format!("{}{text}", joined(handle)?))
        })
        .register_fn("+", |text: &mut ImmutableString, handle: Handle| -> Text {
            Ok(format!("{text}{}", joined(&handle)?))
        })
        .register_fn("+", |one: &mut Handle, other: Handle| -> Text { Ok(joined(one)? + joined(&other)?.as_str()) })
        .register_fn("+=", |text: &mut ImmutableString, handle: Handle| -> Result<(), Box<EvalAltResult>> {
            *text = format!("{text}{}", joined(&handle)?).into();
            Ok(())
        })
        .register_fn(
            "replace",
            |text: &mut ImmutableString, find: &str, handle: Handle| -> Result<(), Box<EvalAltResult>> {
                *text = text.replace(find, &joined(&handle)?).into();
                Ok(())
            },
        )
        // Within lists and maps texts are shown in quotes; the language's own way would take a token apart.
        .register_fn("to_debug", |text: &mut ImmutableString| quoted(text))
        .register_fn("==", |handle: &mut Handle, _: ImmutableString| compared(handle, false))
        .register_fn("!=", |handle: &mut Handle, _: ImmutableString| compared(handle, true))
        .register_fn("==", |_: &mut ImmutableString, handle: Handle| compared(&handle, false))
        .register_fn("!=", |_: &mut ImmutableString, handle: Handle| compared(&handle, true))
        .register_fn("in", |_: &mut ImmutableString, handle: Handle| compared(&handle, false))
        .register_fn("contains", |_: &mut ImmutableString, handle: Handle| compared(&handle, false));
}

/// A text as lists and maps show it: in quotes, its special letters escaped. Those of the last private plane, of which the
/// texts that stand for secrets are made, stay what they are.
fn quoted(text: &str) -> String {
    let shown = text.chars().fold(String::from('"'), |mut shown, letter| {
        if letter == '\'' || letter >= '\u{10_0000}' {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_debug());
        }
        shown
    });
    shown + "\""
}

/// The text that stands for a secret; no other handle is one.
fn joined(handle: &Handle) -> Text {
    match handle.token() {
        Some(token) => Ok(token.to_owned()),
        None => Err(format!("a {} handle is no text: write `${{…}}` to show what it is", handle.kind()).into()),
    }
}

/// A handle is never equal to a text, and of a secret nobody knows it.
fn compared(handle: &Handle, otherwise: bool) -> Flag {
    if handle.token().is_some() { Err(COMPARED.into()) } else { Ok(otherwise) }
}
