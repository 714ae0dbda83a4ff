//! Compiling a text for reading only: nothing is registered and nothing can run.

use rhai::{AST, Engine, ParseError};

/// An engine that compiles what a run's engine compiles, except that a name it does not know is no error: the compiler
/// would stop at the first one, and the lint about variables finds them all.
pub(super) fn engine() -> Engine {
    let mut engine = crate::script::engine::bare();
    engine.set_strict_variables(false);
    engine
}

/// Compiles a text.
pub(super) fn compile(text: &str) -> Result<AST, ParseError> {
    engine().compile(text)
}
