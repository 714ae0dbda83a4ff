//! One test binary; its folders have the names of `runtime/`.

#![allow(clippy::needless_pass_by_value, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod harness;
mod layout;

mod check;
mod cli;
mod compose;
mod drivers;
mod journal;
mod primitives;
mod report;
mod run;
mod script;
