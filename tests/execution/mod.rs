//! Tests of `runtime/run`.

mod cancel;
mod flow;
mod locks;
mod parameters;
mod undo;
