//! Compiling a text for reading only: nothing is registered and nothing can run.

use rhai::{AST, ParseError};

use crate::script::engine::for_reading;

/// Compiles a text.
pub(super) fn compile(text: &str) -> Result<AST, ParseError> {
    for_reading().compile(text)
}
