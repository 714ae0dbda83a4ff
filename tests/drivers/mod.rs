//! Tests of `runtime/drivers`.

mod docker;
mod http;
mod process;
