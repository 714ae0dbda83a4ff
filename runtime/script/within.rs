//! The functions of the language in a plan: where one of them looks at something unknown, the plan ends, because whatever it answered
//! would be a lie about everything after it.
//!
//! Every function of the language that takes a text, a list, a map or a closure is replaced by one that asks first and then does the
//! same. Nothing that the language gets later goes past it: only what is named here may carry something unknown along.

use std::any::TypeId;
use std::sync::Arc;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, ImmutableString, Map, Module, NativeCallContext,
    RhaiFunc,
};

use super::bind::Binding;
use super::unknown::{self, Unknown, in_text};
use super::{convert, engine};
use crate::primitive::{hide_unknown, show_hidden, unknown_within};

/// What is unknown in a text is unknown in what they make of it.
const CARRY: &[&str] = &[
    "+",
    "+=",
    "append",
    "to_string",
    "to_debug",
    "trim",
    "replace",
    "to_upper",
    "to_lower",
    "make_upper",
    "make_lower",
];
/// They compare what is in a list or a map. The others take it along as it is.
const COMPARE: &[&str] = &["==", "!=", "contains", "index_of", "dedup", "sort", "sort_desc", "order", "order_desc"];
/// What a closure answers decides what they give.
const DECIDE: &[&str] = &[
    "all", "contains", "dedup", "drain", "filter", "find", "find_map", "index_of", "order", "order_by", "retain",
    "some", "sort", "sort_by",
];
/// A plan says none of what these say.
const SHOWN: &[&str] = &["print", "debug"];
/// What a closure is called that stands for one of the script.
const CLOSURE: &str = "closure";

/// A function of the language, as a plan has it.
struct Asking {
    name: String,
    /// Which arguments are texts, by their declaration.
    texts: Vec<usize>,
    /// Which are closures.
    closures: Vec<usize>,
    /// The language without anything of a plan.
    language: Arc<Engine>,
    binding: Binding,
}

type Answer = Result<Dynamic, Box<EvalAltResult>>;

/// Replaces the functions of the language.
pub(super) fn register(engine: &mut Engine, binding: &Binding) {
    let language = Arc::new(engine::language());
    let (text, closure) = (TypeId::of::<ImmutableString>(), TypeId::of::<FnPtr>());
    let looked_into = [text, closure, TypeId::of::<Array>(), TypeId::of::<Map>(), TypeId::of::<char>()];
    let all = language.collect_fn_metadata(
        None,
        |function| {
            let function = function.metadata;
            let types = &function.param_types;
            let is_asked = types.iter().any(|ty| looked_into.contains(ty)) && !SHOWN.contains(&function.name.as_str());
            is_asked.then(|| (function.name.to_string(), types.to_vec()))
        },
        true,
    );
    let mut module = Module::new();
    for (name, types) in all {
        let those = |wanted| (0..types.len()).filter(|at| types[*at] == wanted).collect();
        let asking = Asking {
            name: name.clone(),
            texts: those(text),
            closures: those(closure),
            language: language.clone(),
            binding: binding.clone(),
        };
        let function = move |context: Option<NativeCallContext<'_>>, arguments: &mut [&mut Dynamic]| {
            let Some(context) = context else { return Err("called without a context".into()) };
            asking.call(&context, arguments)
        };
        FuncRegistration::new(name).in_global_namespace().set_into_module_raw(
            &mut module,
            types,
            RhaiFunc::Method { has_context: true, is_pure: true, is_volatile: true, func: Arc::new(function) },
        );
    }
    engine.register_global_module(module.into());
}

impl Asking {
    fn call(&self, context: &NativeCallContext<'_>, arguments: &mut [&mut Dynamic]) -> Answer {
        let name = self.name.as_str();
        let in_text = self.texts.iter().find_map(|at| in_text(arguments[*at]));
        let carries = CARRY.contains(&name);
        if let Some(what) = in_text.as_deref().filter(|_| !carries) {
            return Err(unknown::ends(&self.binding, context, what));
        }
        if self.closures.is_empty() && COMPARE.contains(&name) {
            let values = arguments.iter().filter_map(|value| convert::to_value(value, &mut Vec::new()).ok());
            if let Some(what) = values.collect::<Vec<_>>().iter().find_map(unknown_within) {
                return Err(unknown::ends(&self.binding, context, what));
            }
        }
        for at in &self.closures {
            if let Some(closure) = arguments[*at].read_lock::<FnPtr>().map(|closure| closure.clone()) {
                *arguments[*at] = Dynamic::from(self.closure(closure, context)?);
            }
        }
        // The description of what is unknown is no part of the text.
        let mut hidden = Vec::new();
        for at in self.texts.iter().filter(|_| in_text.is_some()) {
            each_text(arguments[*at], &mut |text| hide_unknown(text, &mut hidden));
        }
        let (source, state, position) =
            (context.call_source(), context.global_runtime_state(), context.call_position());
        let plainly = NativeCallContext::new_with_all_fields(&self.language, name, source, state, position);
        let mut answer = plainly.call_native_fn_raw(name, true, arguments)?;
        for value in arguments.iter_mut().map(|value| &mut **value).chain([&mut answer]) {
            each_text(value, &mut |text| show_hidden(text, &hidden));
        }
        match in_text {
            // Nothing unknown is left: was it looked for, or was it cut off?
            Some(what) if !is_unknown(&answer) && !arguments.first().is_some_and(|first| is_unknown(first)) => {
                Err(unknown::ends(&self.binding, context, &what))
            }
            _ => Ok(answer),
        }
    }

    /// A closure of the script, for a function that runs in the engine of the language: it is called in the script's own, and what it
    /// answers is asked for.
    #[allow(deprecated)] // Rhai's word for what may still change
    fn closure(&self, closure: FnPtr, context: &NativeCallContext<'_>) -> Result<FnPtr, Box<EvalAltResult>> {
        let (binding, decides) = (self.binding.clone(), DECIDE.contains(&self.name.as_str()));
        let (source, position) = (context.call_source().map(str::to_owned), context.call_position());
        FnPtr::from_fn(CLOSURE, move |context: NativeCallContext<'_>, arguments: &mut [&mut Dynamic]| {
            let Some(engine) = binding.engine.upgrade() else { return Err("the run has ended".into()) };
            let state = context.global_runtime_state();
            let context = NativeCallContext::new_with_all_fields(&engine, CLOSURE, source.as_deref(), state, position);
            let answer = handed_on(&closure, &context, arguments)?;
            let unknown = answer.read_lock::<Unknown>().filter(|_| decides).map(|unknown| unknown.0.clone());
            unknown.map_or(Ok(answer), |what| Err(unknown::ends(&binding, &context, &what)))
        })
    }
}

/// Calls a closure with arguments, or with the first one as its `this`: the language tries both.
fn handed_on(closure: &FnPtr, context: &NativeCallContext<'_>, arguments: &mut [&mut Dynamic]) -> Answer {
    let of = |values: &[&mut Dynamic]| values.iter().map(|value| (**value).clone()).collect::<Vec<_>>();
    let is_missing = |error: &EvalAltResult| matches!(error, EvalAltResult::ErrorFunctionNotFound(signature, _) if signature.starts_with(closure.fn_name()));
    let mut answer = closure.call_raw(context, None, of(arguments));
    if let (Err(error), Some((this, rest))) = (&answer, arguments.split_first_mut())
        && is_missing(error)
    {
        answer = closure.call_raw(context, Some(this), of(rest));
    }
    answer.map_err(|error| match *error {
        // By the name that the language knows, so that it tries other arguments.
        EvalAltResult::ErrorFunctionNotFound(signature, position) if signature.starts_with(closure.fn_name()) => {
            let signature = format!("{CLOSURE}{}", &signature[closure.fn_name().len()..]);
            EvalAltResult::ErrorFunctionNotFound(signature, position).into()
        }
        other => other.into(),
    })
}

/// Changes a value that is a text.
fn each_text(value: &mut Dynamic, change: &mut dyn FnMut(&str) -> String) {
    if let Some(mut text) = value.write_lock::<ImmutableString>() {
        *text = change(&text).into();
    }
}

fn is_unknown(value: &Dynamic) -> bool {
    value.is::<Unknown>() || in_text(value).is_some()
}
