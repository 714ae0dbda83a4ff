//! Tests of `runtime/script`.
