//! Tests of `runtime/primitives`.

mod always;
mod compose;
mod confirm;
mod disk_free;
mod docker;
mod file;
mod folder;
mod git;
mod http_check;
mod info;
mod lock;
mod parallel;
mod param;
mod retry;
mod sh;
mod sleep;
mod step;
mod template;
mod undo;
mod wait_until;
mod warn;
