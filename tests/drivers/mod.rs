//! Tests of `runtime/drivers`.

mod process;
