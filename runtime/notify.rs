//! Telling people: what happened to runs and schedules, on the ways that the project file names.
//!
//! What happened is read from the run log and becomes rows of an outbox there, in one transaction with the mark up to where
//! everything was looked at ([`happening`], [`rules`]); a [`Teller`] sends what is due ([`send`]). So nothing is held only in
//! memory, nothing is told twice on the same way unless a process dies between sending and writing that down, and no run fails
//! because nobody could be told of it.

mod backups;
mod form;
mod happening;
mod message;
mod rules;
mod send;
mod sign;
mod teller;

pub use happening::Happening;
pub use message::Message;
pub use send::{Sender, Trial};
pub use sign::signature;
pub use teller::{Ending, Teller};
