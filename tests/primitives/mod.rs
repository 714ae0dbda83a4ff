//! Tests of `runtime/primitives`.

mod sh;
