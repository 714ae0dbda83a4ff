//! What is to be done about schedules at this moment. Everything here is decided from what the ledger says and what the
//! clocks show, and nothing is remembered: whoever comes next decides the same.
//!
//! A step has two halves, each one transaction of the ledger: [`account`] gives every expected fire its row and settles what
//! has ended, [`dispatch`] lets begin what may.

mod account;
mod dispatch;
mod foresee;
mod settle;

use std::collections::{BTreeMap, HashSet};

use super::Definition;
use crate::journal::{ClockReading, Fire, ScheduleRow};

pub use account::{Upcoming, account, register};
pub use dispatch::{Limits, dispatch};
pub use foresee::foresee;
pub use settle::{never_began, settle};

/// A fire that begins later than this after its time was missed: whoever was there would have begun it.
pub(super) const LATE: i64 = 60;

/// What the ledger says.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The schedules.
    pub schedules: Vec<ScheduleRow>,
    /// The fires with something left to do.
    pub open: Vec<Fire>,
    /// What the clocks showed when the ledger was last written.
    pub seen: Option<ClockReading>,
}

/// What there is besides the ledger.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The schedules of the project, by name.
    pub definitions: &'a BTreeMap<String, Definition>,
    /// What the clocks show.
    pub now: &'a ClockReading,
    /// The fires that a living process of this service works for.
    pub working: &'a HashSet<i64>,
}

/// Something to do once the ledger knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a worker that begins the run of a fire.
    Begin {
        /// The fire.
        fire: i64,
        /// What the worker has to show.
        ticket: String,
    },
    /// Start a worker that goes on with a run.
    Resume {
        /// The fire.
        fire: i64,
        /// The run.
        run: i64,
    },
    /// Tell a run to stop in good order.
    Stop {
        /// The run.
        run: i64,
    },
}

impl Fire {
    /// Does a run of it go on, or wait for somebody, or is one about to begin?
    fn is_live(&self) -> bool {
        use crate::journal::FireState::{Running, Starting};
        matches!(self.state, Starting | Running)
    }
}
