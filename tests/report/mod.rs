//! Tests of `runtime/report`.

mod console;
mod failure;
mod json;
mod parallel;
mod story;
mod terminal;
