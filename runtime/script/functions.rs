//! The few functions of the language that must behave differently here.

#![allow(clippy::needless_pass_by_value)] // Rhai hands arguments over by value

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, Module, NativeCallContext};

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Replaces `sort`, `order` and `dedup`, whose built-in forms swallow an error of their comparator, so that a failed primitive
/// in there would be lost; and the built-in `sleep`, which ignores cancellation.
pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for name in ["sort", "sort_by"] {
        FuncRegistration::new(name).in_global_namespace().set_into_module(&mut module, sort);
    }
    for name in ["order", "order_by"] {
        FuncRegistration::new(name).in_global_namespace().set_into_module(&mut module, ordered);
    }
    FuncRegistration::new("dedup").in_global_namespace().set_into_module(&mut module, dedup);
    FuncRegistration::new("sleep").in_global_namespace().set_into_module(&mut module, |_: i64| unit_missing());
    FuncRegistration::new("sleep").in_global_namespace().set_into_module(&mut module, |_: f64| unit_missing());
    engine.register_global_module(module.into());
}

fn unit_missing() -> Fallible<()> {
    Err("a number has no unit: write the time as in `sleep(\"5s\")`".into())
}

/// A binary insertion sort: the standard library's would swallow an error and may panic on a comparator without order.
fn sort(context: NativeCallContext, list: &mut Array, comparator: FnPtr) -> Fallible<()> {
    let mut sorted = Array::with_capacity(list.len());
    for item in list.clone() {
        let (mut low, mut high) = (0, sorted.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let answer: Dynamic = comparator.call_within_context(&context, (item.clone(), sorted[middle].clone()))?;
            if order(&answer)?.is_lt() { high = middle } else { low = middle + 1 }
        }
        sorted.insert(low, item);
    }
    *list = sorted;
    Ok(())
}

fn ordered(context: NativeCallContext, list: &mut Array, comparator: FnPtr) -> Fallible<Array> {
    let mut sorted = list.clone();
    sort(context, &mut sorted, comparator)?;
    Ok(sorted)
}

fn order(answer: &Dynamic) -> Fallible<std::cmp::Ordering> {
    if let Ok(number) = answer.as_int() {
        return Ok(number.cmp(&0));
    }
    if let Ok(before) = answer.as_bool() {
        return Ok(if before { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater });
    }
    Err("the closure of `sort` must return a number below, equal to or above 0".into())
}

fn dedup(context: NativeCallContext, list: &mut Array, comparator: FnPtr) -> Fallible<()> {
    let mut kept = Array::new();
    for item in std::mem::take(list) {
        let same = match kept.last() {
            None => false,
            Some(previous) => comparator.call_within_context::<bool>(&context, (item.clone(), previous.clone()))?,
        };
        if !same {
            kept.push(item);
        }
    }
    *list = kept;
    Ok(())
}
