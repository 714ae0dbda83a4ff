//! Values that a plan cannot know, as a script holds them.
//!
//! What is taken from one, or computed with one, is unknown as well. A script that decides on one ends the plan: at a
//! comparison of texts, lists and maps already, because a wrong `false` would be a lie about everything after it.

use std::any::TypeId;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Module, NativeCallContext, Position};

use super::bind::Binding;
use super::{fault, within};
use crate::primitive::{unknown_in_text, unknown_text};

/// What it is called in errors.
const NAME: &str = "a value that is not known yet";

/// Does an error speak of such a value? Some name the type as the script knows it, some as the compiler does.
pub(super) fn is_named(text: &str) -> bool {
    text.contains(NAME) || text.contains(std::any::type_name::<Unknown>())
}

/// A value that is known only after a change; the text says after which.
#[derive(Clone)]
pub(super) struct Unknown(pub(super) Arc<str>);

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Lets scripts carry unknown values around.
pub(super) fn register(engine: &mut Engine, binding: &Binding) {
    engine
        .register_type_with_name::<Unknown>(NAME)
        .register_indexer_get(|unknown: &mut Unknown, _key: Dynamic| unknown.clone())
        .register_fn("to_string", |unknown: &mut Unknown| unknown_text(&unknown.0))
        .register_fn("to_debug", |unknown: &mut Unknown| unknown_text(&unknown.0))
        .register_fn("!", |unknown: &mut Unknown| unknown.clone())
        .register_fn("trim", |_unknown: &mut Unknown| ())
        .register_fn("+", |text: ImmutableString, unknown: Unknown| format!("{text}{}", unknown_text(&unknown.0)))
        .register_fn("+", |unknown: Unknown, text: ImmutableString| format!("{}{text}", unknown_text(&unknown.0)))
        .register_fn("+=", |text: &mut ImmutableString, unknown: Unknown| *text += unknown_text(&unknown.0));
    for operator in ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">="] {
        engine
            .register_fn(operator, |left: Unknown, _right: Dynamic| left)
            .register_fn(operator, |_left: Dynamic, right: Unknown| right)
            .register_fn(operator, |left: Unknown, _right: Unknown| left);
    }
    if binding.door.is_planning() {
        within::register(engine, binding);
        decide(engine, binding);
        let door = binding.door.clone();
        let mut loops = Module::new();
        loops.set_iter_result(TypeId::of::<Unknown>(), move |unknown| {
            let what = unknown.try_cast::<Unknown>().map_or_else(String::new, |unknown| unknown.0.to_string());
            Box::new(std::iter::once(Err(fault::to_error(door.unforeseen(Some(&what), None), Position::NONE))))
        });
        engine.register_global_module(loops.into());
    }
}

/// Texts with something unknown in them are no ground for a decision.
fn decide(engine: &mut Engine, binding: &Binding) {
    // Without this the engine compares texts by itself.
    engine.set_fast_operators(false);
    pair(engine, binding, "==", |a, b| (a == b).into());
    pair(engine, binding, "!=", |a, b| (a != b).into());
    pair(engine, binding, "<", |a, b| (a < b).into());
    pair(engine, binding, "<=", |a, b| (a <= b).into());
    pair(engine, binding, ">", |a, b| (a > b).into());
    pair(engine, binding, ">=", |a, b| (a >= b).into());
    pair(engine, binding, "contains", |a, b| a.contains(b).into());
    pair(engine, binding, "starts_with", |a, b| a.starts_with(b).into());
    pair(engine, binding, "ends_with", |a, b| a.ends_with(b).into());
    pair(engine, binding, "index_of", |a, b| {
        a.find(b).map_or(-1, |at| i64::try_from(a[..at].chars().count()).unwrap_or(-1)).into()
    });
    pair(engine, binding, "split", |a, b| {
        a.split(b).map(|part| part.to_owned().into()).collect::<rhai::Array>().into()
    });
    alone(engine, binding, "parse_int", |a| a.trim().parse::<i64>().ok().map(Into::into));
    alone(engine, binding, "parse_float", |a| a.trim().parse::<f64>().ok().map(Into::into));
    alone(engine, binding, "len", |a| i64::try_from(a.chars().count()).ok().map(Into::into));
    alone(engine, binding, "is_empty", |a| Some(a.is_empty().into()));
}

fn pair(engine: &mut Engine, binding: &Binding, name: &str, known: fn(&str, &str) -> Dynamic) {
    let binding = binding.clone();
    let decide =
        move |context: NativeCallContext<'_>, left: ImmutableString, right: ImmutableString| -> Fallible<Dynamic> {
            match unknown_in_text(&left).or_else(|| unknown_in_text(&right)) {
                Some(what) => Err(ends(&binding, &context, what)),
                None => Ok(known(&left, &right)),
            }
        };
    engine.register_fn(name, decide);
}

fn alone(engine: &mut Engine, binding: &Binding, name: &str, known: fn(&str) -> Option<Dynamic>) {
    let binding = binding.clone();
    engine.register_fn(name, move |context: NativeCallContext<'_>, text: ImmutableString| -> Fallible<Dynamic> {
        match unknown_in_text(&text) {
            Some(what) => Err(ends(&binding, &context, what)),
            None => known(&text).ok_or_else(|| format!("`{text}` cannot be read as a number").into()),
        }
    });
}

/// The plan ends here.
#[allow(clippy::unnecessary_box_returns)] // the form in which Rhai passes errors on
pub(super) fn ends(binding: &Binding, context: &NativeCallContext<'_>, what: &str) -> Box<EvalAltResult> {
    fault::to_error(binding.door.unforeseen(Some(what), binding.site(context)), context.call_position())
}
