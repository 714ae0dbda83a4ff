//! Tests of `runtime/drivers`.

mod http;
mod process;
