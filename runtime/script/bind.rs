//! The one adapter between Rhai and primitives.
//!
//! Every primitive is registered from its `Spec` as a raw function over `Dynamic`, so that wrong arguments reach the
//! door's check, whose messages name the argument, instead of Rhai's "function not found (i64, &str)". Methods of
//! different handles may share a name: the receiver's kind decides.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, Module, NativeCallContext, RhaiFunc};
use serde_json::Value;

use super::block::ScriptBlock;
use super::handle::Handle;
use super::origin::Origins;
use super::{convert, fault};
use crate::primitive::{Block, Failure, FailureKind, Primitive, Site};
use crate::run::{Door, Invocation};

/// What the functions registered here need when they are called.
#[derive(Clone)]
pub(super) struct Binding {
    pub(super) door: Arc<dyn Door>,
    pub(super) origins: Origins,
    pub(super) engine: Weak<Engine>,
    pub(super) runbook: Arc<str>,
}

impl Binding {
    /// Where in the scripts a function was called.
    pub(super) fn site(&self, context: &NativeCallContext<'_>) -> Option<Site> {
        self.origins.site(context.call_source().unwrap_or(&self.runbook), context.call_position())
    }
}

type Overloads = Arc<Vec<&'static dyn Primitive>>;

/// Makes every primitive callable from scripts.
pub(super) fn register(engine: &mut Engine, primitives: &[&'static dyn Primitive], binding: &Binding) {
    let mut by_name: BTreeMap<(&str, bool), Vec<&'static dyn Primitive>> = BTreeMap::new();
    for primitive in primitives {
        let spec = primitive.spec();
        by_name.entry((spec.name, spec.receiver.is_some())).or_default().push(*primitive);
    }
    let mut module = Module::new();
    for ((name, is_method), overloads) in by_name {
        let most = overloads.iter().map(|primitive| most_arguments(*primitive)).max().unwrap_or_default();
        let overloads: Overloads = Arc::new(overloads);
        // One argument more than any form takes, so that "too many" is said by the door as well.
        for count in 0..=most + 1 {
            let mut types = vec![TypeId::of::<Dynamic>(); count];
            if is_method {
                types.insert(0, TypeId::of::<Handle>());
            }
            add(&mut module, name, is_method, types, &overloads, binding);
        }
        // The language has a function of this name for maps, which would be preferred.
        if name == "to_json" {
            add(&mut module, name, is_method, vec![TypeId::of::<rhai::Map>()], &overloads, binding);
        }
    }
    engine.register_global_module(module.into());
}

fn most_arguments(primitive: &dyn Primitive) -> usize {
    let spec = primitive.spec();
    spec.args.len() + usize::from(spec.options.is_some())
}

fn add(module: &mut Module, name: &str, is_method: bool, types: Vec<TypeId>, overloads: &Overloads, binding: &Binding) {
    let (overloads, binding) = (overloads.clone(), binding.clone());
    let function = move |context: Option<NativeCallContext<'_>>, arguments: &mut [&mut Dynamic]| {
        let Some(context) = context else { return Err("called without a context".into()) };
        call(&context, arguments, is_method, &overloads, &binding)
    };
    FuncRegistration::new(name).in_global_namespace().set_into_module_raw(
        module,
        types,
        RhaiFunc::Method { has_context: true, is_pure: true, is_volatile: true, func: Arc::new(function) },
    );
}

fn call(
    context: &NativeCallContext<'_>,
    arguments: &mut [&mut Dynamic],
    is_method: bool,
    overloads: &Overloads,
    binding: &Binding,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let position = context.call_position();
    let outcome = invoke(context, arguments, is_method, overloads, binding);
    outcome.map(|value| convert::to_dynamic(&value)).map_err(|failure| fault::to_error(failure, position))
}

fn invoke(
    context: &NativeCallContext<'_>,
    arguments: &mut [&mut Dynamic],
    is_method: bool,
    overloads: &Overloads,
    binding: &Binding,
) -> Result<Value, Failure> {
    let mut closures = Vec::new();
    let mut values = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.iter().enumerate() {
        let value = convert::to_value(argument, &mut closures).map_err(|why| {
            Failure::new(FailureKind::Argument, format!("argument {} cannot be used here: {why}", index + 1))
        })?;
        values.push(value);
    }
    let receiver = if is_method { values.remove(0) } else { Value::Null };
    let primitive = select(overloads, &receiver)?;
    let blocks = closures.into_iter().map(|closure| block(closure, context, binding)).collect();
    binding.door.call(Invocation {
        primitive,
        receiver,
        arguments: values,
        blocks,
        site: binding.site(context).unwrap_or_default(),
    })
}

fn block(closure: FnPtr, context: &NativeCallContext<'_>, binding: &Binding) -> Arc<dyn Block> {
    Arc::new(ScriptBlock::new(closure, context, &binding.origins, binding.engine.clone()))
}

/// The primitive that fits the receiver's kind.
fn select(overloads: &Overloads, receiver: &Value) -> Result<&'static dyn Primitive, Failure> {
    let kind = crate::primitive::kind_of(receiver);
    if let Some(primitive) = overloads.iter().find(|primitive| primitive.spec().receiver == kind) {
        return Ok(*primitive);
    }
    let owners: Vec<&str> = overloads.iter().filter_map(|primitive| primitive.spec().receiver).collect();
    let name = overloads.first().map_or("", |primitive| primitive.spec().name);
    Err(Failure::new(
        FailureKind::Argument,
        format!("a {} handle has no method `{name}`; it belongs to {}", kind.unwrap_or("plain"), owners.join(" and ")),
    ))
}
