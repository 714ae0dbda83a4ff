//! Tests of `runtime/project`.

mod drilling;
mod freshness;
mod keep;
