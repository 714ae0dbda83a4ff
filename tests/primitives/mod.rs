//! Tests of `runtime/primitives`.

mod disk_free;
mod docker;
mod file;
mod folder;
mod git;
mod http_check;
mod sh;
mod template;
