//! One test binary; its folders have the names of `runtime/`, except that the tests of `run/` are in `execution/`:
//! `tests/run` is the script that runs everything.

#![allow(clippy::needless_pass_by_value, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod harness;
mod layout;

mod check;
mod cli;
mod compose;
mod docs;
mod drivers;
mod execution;
mod journal;
mod notify;
mod policy;
mod primitives;
mod project;
mod report;
mod runbooks;
mod schedule;
mod script;
mod secrets;
mod serve;
mod stdlib;
mod survival;
