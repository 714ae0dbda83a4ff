//! Tests of `runtime/cli`.
mod doctor;
