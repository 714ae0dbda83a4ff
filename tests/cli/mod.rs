//! Tests of `runtime/cli`.
