//! Runs that survive anything: every scenario is struck at every boundary of its journal and at other system calls, and
//! must end as if nothing had happened.
//!
//! `RUNBOOK_NIGHT=1` strikes everywhere instead of at a sample; `RUNBOOK_SURVIVAL_AT="files: journal pwrite64 37"` strikes
//! only where that is the beginning of the name, and keeps the folders in which something went wrong.

mod account;
mod disk;
mod engine;
mod faults;
mod kills;
mod narrowing;
mod orphans;
pub mod plan;
mod points;
mod recovery;
mod remote;
mod scenario;
pub mod shipped;
mod site;
