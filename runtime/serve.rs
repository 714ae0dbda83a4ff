//! The long-running service: it starts runs when they are due, each as a process of its own, and looks after them.
//!
//! What is to be done is decided by [`crate::schedule::ledger`] from the run log alone; here is what only a living process
//! can do: wait, start, stop, and see that something ended. Whatever dies when, the next service goes on from the run log.

mod agenda;
mod ahead;
pub mod api;
mod begin;
mod notify;
mod owner;
mod service;
mod signals;
pub mod unit;
mod wait;
mod worker;

pub use owner::Owner;
pub use service::{Project, Service, version_of};
