//! Tests of `runtime/primitives`.

mod http_check;
mod sh;
