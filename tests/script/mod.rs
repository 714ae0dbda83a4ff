//! Tests of `runtime/script`.

mod limits;
mod places;
mod traps;
