//! Tests of `runtime/report`.
