//! Tests of `runtime/project`.

mod freshness;
mod keep;
