//! Tests of `runtime/cli`.

mod audit;
mod backup;
mod backup_drill;
mod compose;
mod diff;
mod doctor;
mod history;
mod init;
mod logs;
mod redact;
mod runs;
mod schedule;
mod secret;
mod show;
mod state;
mod stats;
mod test;
