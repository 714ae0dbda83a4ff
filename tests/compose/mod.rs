//! Tests of `runtime/compose`.
