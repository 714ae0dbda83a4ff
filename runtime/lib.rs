//! `runbook`: versioned operations scripts for small fleets of Docker hosts.
//!
//! The folders, from the face inwards:
//!
//! - `cli` — one file per command; `report` — the only place that prints, and only from journal events;
//! - `script` — everything that knows Rhai: the engine, binding, modules, and `check`;
//! - `run` — one execution: the door every call passes, steps, undo, cancellation;
//! - `journal` — what happened, in SQLite; `policy` — what a script may do; `secrets` — what must not be shown;
//! - `primitive` — the contract of a primitive; `primitives` — one file each;
//! - `schedule` — when runbooks run by themselves; `serve` — the service that sees to it; `notify` — telling people;
//! - `compose` — the compose model; `drivers` — the outside world behind small types; `project` — the project file;
//! - `failure`, `units` — the words everything above shares.

pub mod cli;
pub mod compose;
pub mod drivers;
pub mod failure;
pub mod journal;
pub mod notify;
pub mod policy;
pub mod primitive;
pub mod primitives;
pub mod project;
pub mod report;
pub mod run;
pub mod schedule;
pub mod script;
pub mod secrets;
pub mod serve;
pub mod units;
