//! Tests of `runtime/run`.
