//! Lists and maps are compared by what is in them, where an unknown value would be taken for another one.

use std::any::TypeId;
use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, FuncRegistration, Map, Module, NativeCallContext, RhaiFunc};

use super::bind::Binding;
use super::{convert, engine, fault, handle, unknown};
use crate::primitive::unknown_within;

/// Replaces what compares them: it ends the plan at something unknown, and is else what it was.
pub(super) fn register(engine: &mut Engine, binding: &Binding) {
    let mut plain = engine::bare();
    handle::register(&mut plain);
    fault::register(&mut plain);
    let (plain, mut module) = (Arc::new(plain), Module::new());
    let (list, map, any) = (TypeId::of::<Array>(), TypeId::of::<Map>(), TypeId::of::<Dynamic>());
    let all = ["==", "!="].into_iter().flat_map(|name| [(name, [list, list]), (name, [map, map])]);
    for (name, types) in all.chain([("contains", [list, any]), ("index_of", [list, any])]) {
        let (plain, binding) = (plain.clone(), binding.clone());
        let function = move |context: Option<NativeCallContext<'_>>, arguments: &mut [&mut Dynamic]| {
            let Some(context) = context else { return Err("called without a context".into()) };
            let values = arguments.iter().filter_map(|value| convert::to_value(value, &mut Vec::new()).ok());
            if let Some(what) = values.collect::<Vec<_>>().iter().find_map(unknown_within) {
                return Err(unknown::ends(&binding, &context, what));
            }
            let (source, state, position) =
                (context.call_source(), context.global_runtime_state(), context.call_position());
            let context = NativeCallContext::new_with_all_fields(&plain, name, source, state, position);
            context.call_native_fn_raw(name, true, arguments)
        };
        FuncRegistration::new(name).in_global_namespace().set_into_module_raw(
            &mut module,
            types,
            RhaiFunc::Method { has_context: true, is_pure: true, is_volatile: true, func: Arc::new(function) },
        );
    }
    engine.register_global_module(module.into());
}
