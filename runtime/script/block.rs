use std::sync::{Arc, Weak};

use rhai::{Array, Dynamic, Engine, FnPtr, GlobalRuntimeState, Map, NativeCallContext, Position};
use serde_json::Value;

use super::origin::Origins;
use super::{convert, fault};
use crate::primitive::{Block, Failure, FailureKind};

/// A closure of a script, ready to be called by a primitive now, later (an undo block) or on another thread.
pub(super) struct ScriptBlock {
    closure: FnPtr,
    state: GlobalRuntimeState,
    position: Position,
    parameters: usize,
    engine: Weak<Engine>,
}

impl ScriptBlock {
    /// Takes the closure together with what it sees where it was written.
    pub(super) fn new(
        closure: FnPtr,
        context: &NativeCallContext<'_>,
        origins: &Origins,
        engine: Weak<Engine>,
    ) -> Self {
        let mut state = context.global_runtime_state().clone();
        let captured = closure.curry().len();
        let mut parameters = 0;
        if let Some(origin) = origins.find(closure.fn_name()) {
            state.source = Some(origin.source.into());
            state.lib.clear();
            state.lib.push(origin.functions);
            parameters = origin.parameters.saturating_sub(captured);
        }
        Self { closure, state, position: context.call_position(), parameters, engine }
    }
}

impl Block for ScriptBlock {
    fn call(&self, arguments: Vec<Value>) -> Result<Value, Failure> {
        let engine = self.engine.upgrade();
        let engine = engine.ok_or_else(|| Failure::new(FailureKind::System, "the script has already ended"))?;
        let source = self.state.source.clone();
        let context = NativeCallContext::new_with_all_fields(
            &engine,
            self.closure.fn_name(),
            source.as_deref(),
            &self.state,
            self.position,
        );
        let arguments: Vec<Dynamic> = arguments.iter().take(self.parameters).map(convert::to_dynamic).collect();
        let result = self.closure.call_raw(&context, None, arguments).map_err(fault::from_block)?;
        convert::to_plain_value(&result).map_err(|why| {
            Failure::new(FailureKind::Invalid, format!("the block returned something that cannot be kept: {why}"))
        })
    }

    fn parameters(&self) -> usize {
        self.parameters
    }

    fn detached(&self) -> Arc<dyn Block> {
        Arc::new(Self {
            closure: detach_closure(&self.closure),
            state: self.state.clone(),
            position: self.position,
            parameters: self.parameters,
            engine: self.engine.clone(),
        })
    }
}

/// A deep copy in which every captured variable is private: two threads that share one would fail with a data race.
fn detach(value: &Dynamic) -> Dynamic {
    let value = value.flatten_clone();
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(detach).collect::<Array>().into();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return Dynamic::from_map(map.iter().map(|(key, item)| (key.clone(), detach(item))).collect());
    }
    if let Some(closure) = value.read_lock::<FnPtr>() {
        return Dynamic::from(detach_closure(&closure));
    }
    value
}

fn detach_closure(closure: &FnPtr) -> FnPtr {
    let mut copy = closure.clone();
    copy.set_curry(closure.curry().iter().map(detach).collect::<Vec<_>>());
    copy
}
