//! Everything that knows Rhai: the engine and its limits, modules, binding, and where things stand in the source.

mod bind;
mod block;
pub mod check;
mod convert;
mod engine;
mod fault;
mod foresight;
mod functions;
mod handle;
pub mod header;
mod indexing;
mod library;
mod origin;
mod program;
mod unknown;
mod within;

pub use header::{Header, Param, ParamType};
pub use library::{Library, SourceFile};
pub use program::Program;
