//! Tests of `runtime/drivers`.

mod http;
mod docker;
mod process;
