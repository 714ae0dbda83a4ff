//! Tests of `runtime/project`.

mod keep;
