//! Tests of `runtime/cli`.

mod diff;
mod doctor;
mod history;
mod init;
mod logs;
mod runs;
mod show;
mod test;
