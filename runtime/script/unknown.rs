//! Values that a plan cannot know, as a script holds them.
//!
//! What is taken from one, or computed with one, is unknown as well. A script that decides on one ends the plan: at a
//! comparison of texts, lists and maps already, because a wrong `false` would be a lie about everything after it.

use std::any::TypeId;
use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Module, NativeCallContext, Position};

use super::bind::Binding;
use super::{fault, within};
use crate::primitive::{unknown_in_text, unknown_text};

/// Its type as a script knows it: as unknown as the value, so that `type_of` decides nothing.
static NAME: LazyLock<String> = LazyLock::new(|| unknown_text("the type of a value that is not known yet"));

/// Does an error speak of such a value? Some name the type as the script knows it, some as the compiler does.
pub(super) fn is_named(text: &str) -> bool {
    unknown_in_text(text).is_some() || text.contains(std::any::type_name::<Unknown>())
}

/// A value that is known only after a change; the text says after which.
#[derive(Clone)]
pub(super) struct Unknown(pub(super) Arc<str>);

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Lets scripts carry unknown values around.
pub(super) fn register(engine: &mut Engine, binding: &Binding) {
    engine
        .register_type_with_name::<Unknown>(&NAME)
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
        compare(engine, binding);
        loops(engine, binding);
    }
}

/// A loop over something unknown ends the plan, and so does one over the letters of a text that is unknown in part.
fn loops(engine: &mut Engine, binding: &Binding) {
    let mut loops = Module::new();
    let door = binding.door.clone();
    let end = move |what: &str| Err(fault::to_error(door.unforeseen(Some(what), None), Position::NONE));
    let ends = end.clone();
    loops.set_iter_result(TypeId::of::<Unknown>(), move |unknown| {
        let what = unknown.try_cast::<Unknown>().map_or_else(String::new, |unknown| unknown.0.to_string());
        Box::new(std::iter::once(ends(&what)))
    });
    loops.set_iter_result(TypeId::of::<ImmutableString>(), move |text| {
        let text = text.into_immutable_string().unwrap_or_default();
        match unknown_in_text(&text) {
            Some(what) => Box::new(std::iter::once(end(what))),
            None => Box::new(text.chars().map(|letter| Ok(letter.into())).collect::<Vec<_>>().into_iter()),
        }
    });
    engine.register_global_module(loops.into());
}

/// Is this order of two texts what an operator asks for?
type Holds = fn(Ordering) -> bool;

/// Texts with something unknown in them are no ground for a decision.
fn compare(engine: &mut Engine, binding: &Binding) {
    // Without this the engine compares texts by itself.
    engine.set_fast_operators(false);
    let operators: [(&str, Holds); 6] = [
        ("==", Ordering::is_eq),
        ("!=", Ordering::is_ne),
        ("<", Ordering::is_lt),
        ("<=", Ordering::is_le),
        (">", Ordering::is_gt),
        (">=", Ordering::is_ge),
    ];
    for (operator, holds) in operators {
        let binding = binding.clone();
        let compared = move |context: &NativeCallContext<'_>, left: &str, right: &str| -> Fallible<bool> {
            match unknown_in_text(left).or_else(|| unknown_in_text(right)) {
                Some(what) => Err(ends(&binding, context, what)),
                None => Ok(holds(left.cmp(right))),
            }
        };
        let compared = Arc::new(compared);
        let (texts, before, behind) = (compared.clone(), compared.clone(), compared);
        engine
            .register_fn(
                operator,
                move |context: NativeCallContext<'_>, left: ImmutableString, right: ImmutableString| {
                    texts(&context, &left, &right)
                },
            )
            .register_fn(operator, move |context: NativeCallContext<'_>, left: char, right: ImmutableString| {
                before(&context, &left.to_string(), &right)
            })
            .register_fn(operator, move |context: NativeCallContext<'_>, left: ImmutableString, right: char| {
                behind(&context, &left, &right.to_string())
            });
    }
}

/// What a text depends on, when a part of it is unknown; none for what is no text.
pub(super) fn in_text(value: &Dynamic) -> Option<String> {
    unknown_in_text(&value.read_lock::<ImmutableString>()?).map(str::to_owned)
}

/// The plan ends here.
#[allow(clippy::unnecessary_box_returns)] // the form in which Rhai passes errors on
pub(super) fn ends(binding: &Binding, context: &NativeCallContext<'_>, what: &str) -> Box<EvalAltResult> {
    fault::to_error(binding.door.unforeseen(Some(what), binding.site(context)), context.call_position())
}
