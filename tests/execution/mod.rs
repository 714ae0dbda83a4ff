//! Tests of `runtime/run`.

mod cancel;
mod parameters;
mod paths;
