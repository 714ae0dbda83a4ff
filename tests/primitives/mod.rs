//! Tests of `runtime/primitives`.
