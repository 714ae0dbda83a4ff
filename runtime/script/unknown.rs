//! Values that a plan cannot know, as a script holds them.
//!
//! What is taken from one, or computed with one, is unknown as well. A script that decides on one ends the plan: at a
//! comparison of texts already, because a wrong `false` would be a lie about everything after it.

use std::any::TypeId;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Module, Position};

use super::fault;
use crate::primitive::{unknown_in_text, unknown_text};
use crate::run::Door;

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
pub(super) fn register(engine: &mut Engine, door: &Arc<dyn Door>) {
    engine
        .register_type_with_name::<Unknown>(NAME)
        .register_indexer_get(|unknown: &mut Unknown, _key: Dynamic| unknown.clone())
        .register_fn("to_string", |unknown: &mut Unknown| unknown_text(&unknown.0))
        .register_fn("to_debug", |unknown: &mut Unknown| unknown_text(&unknown.0))
        .register_fn("!", |unknown: &mut Unknown| unknown.clone())
        .register_fn("+", |text: ImmutableString, unknown: Unknown| format!("{text}{}", unknown_text(&unknown.0)))
        .register_fn("+", |unknown: Unknown, text: ImmutableString| format!("{}{text}", unknown_text(&unknown.0)))
        .register_fn("+=", |text: &mut ImmutableString, unknown: Unknown| *text += unknown_text(&unknown.0));
    for operator in ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">="] {
        engine
            .register_fn(operator, |left: Unknown, _right: Dynamic| left)
            .register_fn(operator, |_left: Dynamic, right: Unknown| right)
            .register_fn(operator, |left: Unknown, _right: Unknown| left);
    }
    if door.is_planning() {
        decide(engine, door);
        let door = door.clone();
        let mut loops = Module::new();
        loops.set_iter_result(TypeId::of::<Unknown>(), move |unknown| {
            let what = unknown.try_cast::<Unknown>().map_or_else(String::new, |unknown| unknown.0.to_string());
            Box::new(std::iter::once(Err(fault::to_error(door.unforeseen(&what), Position::NONE))))
        });
        engine.register_global_module(loops.into());
    }
}

/// Texts with something unknown in them are no ground for a decision.
fn decide(engine: &mut Engine, door: &Arc<dyn Door>) {
    // Without this the engine compares texts by itself.
    engine.set_fast_operators(false);
    pair(engine, door, "==", |a, b| (a == b).into());
    pair(engine, door, "!=", |a, b| (a != b).into());
    pair(engine, door, "<", |a, b| (a < b).into());
    pair(engine, door, "<=", |a, b| (a <= b).into());
    pair(engine, door, ">", |a, b| (a > b).into());
    pair(engine, door, ">=", |a, b| (a >= b).into());
    pair(engine, door, "contains", |a, b| a.contains(b).into());
    pair(engine, door, "starts_with", |a, b| a.starts_with(b).into());
    pair(engine, door, "ends_with", |a, b| a.ends_with(b).into());
    pair(engine, door, "index_of", |a, b| {
        a.find(b).map_or(-1, |at| i64::try_from(a[..at].chars().count()).unwrap_or(-1)).into()
    });
    pair(engine, door, "split", |a, b| a.split(b).map(|part| part.to_owned().into()).collect::<rhai::Array>().into());
    alone(engine, door, "parse_int", |a| a.trim().parse::<i64>().ok().map(Into::into));
    alone(engine, door, "parse_float", |a| a.trim().parse::<f64>().ok().map(Into::into));
    alone(engine, door, "len", |a| i64::try_from(a.chars().count()).ok().map(Into::into));
    alone(engine, door, "is_empty", |a| Some(a.is_empty().into()));
}

fn pair(engine: &mut Engine, door: &Arc<dyn Door>, name: &str, known: fn(&str, &str) -> Dynamic) {
    let door = door.clone();
    engine.register_fn(name, move |left: ImmutableString, right: ImmutableString| -> Fallible<Dynamic> {
        match unknown_in_text(&left).or_else(|| unknown_in_text(&right)) {
            Some(what) => Err(fault::to_error(door.unforeseen(what), Position::NONE)),
            None => Ok(known(&left, &right)),
        }
    });
}

fn alone(engine: &mut Engine, door: &Arc<dyn Door>, name: &str, known: fn(&str) -> Option<Dynamic>) {
    let door = door.clone();
    engine.register_fn(name, move |text: ImmutableString| -> Fallible<Dynamic> {
        match unknown_in_text(&text) {
            Some(what) => Err(fault::to_error(door.unforeseen(what), Position::NONE)),
            None => known(&text).ok_or_else(|| format!("`{text}` cannot be read as a number").into()),
        }
    });
}
