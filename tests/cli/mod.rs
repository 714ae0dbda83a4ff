//! Tests of `runtime/cli`.
mod doctor;

mod diff;
mod history;
mod logs;
mod runs;
mod show;
