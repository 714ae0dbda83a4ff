//! Tests of `runtime/drivers`.
