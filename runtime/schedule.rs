//! When runbooks run by themselves.
//!
//! An [`Expression`] is a cron expression as Debian's cron understands it, [`Fires`] the moments at which it fires in a
//! [`Zone`]; a [`Question`] asks for them. A [`Definition`] is a schedule of the project, and [`ledger`] decides from what
//! the run log's ledger says what is to be done about all of them at a moment.

mod clock;
mod definition;
mod expression;
mod fires;
pub mod ledger;
mod question;
mod timing;
mod unusual;
mod wall;
mod zone;

pub use clock::{Clock, SystemClock};
pub use definition::{Alike, Definition};
pub use expression::{Expression, Problem, ProblemKind};
pub use fires::Fires;
pub use question::{Answer, Listing, Outcome, Question, Refusal};
pub use unusual::{UnusualDay, unusual_days};
pub use zone::Zone;

pub use crate::project::DstPolicy;
