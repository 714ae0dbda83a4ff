//! Tests of `runtime/run`.

mod cancel;
mod doorway;
mod engine_locks;
mod foresight;
mod late_word;
mod not_known;
mod parameters;
mod paths;
mod plan;
pub mod plan_truth;
mod recorded;
mod resume;

pub use resume::{HOLD, killed};
