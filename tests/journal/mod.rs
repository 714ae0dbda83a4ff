//! Tests of `runtime/journal`.
