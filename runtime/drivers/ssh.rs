//! Hosts behind small types: the only place that knows ssh2, none of whose types leave it.
//!
//! A [`Target`] says where a host is, as whom to log in and by which key it is known; it is put together from what a
//! project says and from `~/.ssh/config`. [`Hosts`] keeps one connection to each, on a thread of its own.

mod armed;
mod channel;
mod command;
mod config;
mod connect;
mod fault;
mod flow;
mod forward;
mod hosts;
mod kept;
mod key;
mod known;
mod link;
mod login;
mod owner;
mod pattern;
mod script;
mod sentinel;
mod space;
mod target;
mod waiting;
mod words;

pub use armed::{Decision, Verdict};
pub use command::{RemoteCommand, Work};
pub use forward::{Forward, forward};
pub use hosts::{Hosts, OnLink};
pub use kept::Fate;
pub use key::PublicKey;
pub use link::{Closing, Link, Opened, Purpose};
pub use owner::is_silence;
pub use script::Script;
pub use space::Space;
pub use target::{Standing, Target, Wish};
pub use words::{GO_HOME, needing, quoted};
