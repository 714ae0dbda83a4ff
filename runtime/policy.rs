//! What a script may do: what the runbook declares, the environment grants and the command line left.

use crate::primitive::{Call, Failure, Spec};

/// The grants of a run. Every call asks here before anything else happens.
#[derive(Clone, Debug, Default)]
pub struct Policy {}

impl Policy {
    /// Is this call granted? Everything is, until runbooks declare what they need.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    pub fn allows(&self, _spec: &Spec, _call: &Call) -> Result<(), Failure> {
        Ok(())
    }
}
