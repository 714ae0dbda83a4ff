//! The Rhai engine with every limit set: what a script may use up, and what it may not do at all.

use std::sync::LazyLock;

use rhai::packages::{Package, StandardPackage};
use rhai::{Engine, OptimizationLevel};

use super::{fault, functions, handle};

/// Bytes of one string.
const LONGEST_STRING: usize = 16 << 20;
/// Items of one list or map.
const LARGEST_COLLECTION: usize = 100_000;
/// Functions calling functions; the script's thread has room for this many.
const DEEPEST_CALLS: usize = 64;
/// Nested expressions, outside and inside functions.
const DEEPEST_EXPRESSION: usize = 128;

/// The functions of the language: some hundreds, so that they are put together once.
static STANDARD: LazyLock<StandardPackage> = LazyLock::new(StandardPackage::new);

/// An engine that compiles and runs scripts, and knows no primitive yet.
///
/// The defaults of the limits differ between debug and release builds and some are absent, so each is set here. The
/// optimizer stays off: it loses positions.
pub(super) fn bare() -> Engine {
    let mut engine = limited();
    STANDARD.register_into_engine(&mut engine);
    engine
}

/// The language as scripts have it, without the primitives.
pub(super) fn language() -> Engine {
    let mut engine = bare();
    handle::register(&mut engine);
    fault::register(&mut engine);
    functions::register(&mut engine);
    engine
}

fn limited() -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_strings_interned(0)
        .set_max_call_levels(DEEPEST_CALLS)
        .set_max_expr_depths(DEEPEST_EXPRESSION, DEEPEST_EXPRESSION)
        .set_max_string_size(LONGEST_STRING)
        .set_max_array_size(LARGEST_COLLECTION)
        .set_max_map_size(LARGEST_COLLECTION)
        .set_max_variables(2_000)
        .set_max_functions(2_000)
        .set_max_modules(200)
        // Operations are counted by the run itself: this counter starts anew in every closure that native code calls.
        .set_max_operations(0)
        .disable_symbol("eval");
    engine
}

/// An engine for reading a text, never for running it: it compiles what a run's engine compiles, except that a name it does
/// not know is no error. The compiler would stop at the first one, and modules such as `env` are only there in a run. What functions
/// there are is nothing that it asks.
pub(super) fn for_reading() -> Engine {
    let mut engine = limited();
    engine.set_strict_variables(false);
    engine
}
