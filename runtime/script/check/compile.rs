//! Compiling a text for reading only: nothing is registered and nothing can run.

use rhai::{AST, ParseError};

pub(super) use crate::script::engine::for_reading as engine;

/// Compiles a text.
pub(super) fn compile(text: &str) -> Result<AST, ParseError> {
    engine().compile(text)
}
