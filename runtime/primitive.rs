//! The contract: what a primitive is, and everything it may see.
//!
//! A primitive is one thing a runbook can do. It states its arguments, options and effect in a [`Spec`], from which
//! argument errors, `runbook check`, the plan, the journal and the reference pages all derive, and it reaches the world
//! only through the [`Context`] it is handed. It knows no Rhai, no command line and no other primitive, and it is only
//! ever called by the door in `run/`, so it never has to think about journals, permissions or redaction.

mod block;
mod call;
mod cancel;
mod context;
mod leases;
mod options;
mod outcome;
mod releases;
mod spec;

pub use crate::failure::{Evidence, Failure, FailureKind};
pub use crate::units::{ByteSize, FileMode, Span};
pub use block::Block;
pub use call::{Call, KIND, Site, handle, kind_of};
pub use cancel::{Cancel, CancelReason};
pub use context::{Context, LogStream, Progress, RunFacts, Services};
pub use leases::{Lease, LeaseRequest};
pub use options::{BlockRef, OptionDoc, OptionType, OptionsSpec, parse as parse_options};
pub use outcome::{Outcome, Probe};
pub use releases::{Release, ReleaseState};
pub use spec::{Arg, Effect, Spec, Ty};

/// One thing a runbook can do.
pub trait Primitive: Send + Sync {
    /// Name, arguments, options, effect, summary and example.
    fn spec(&self) -> &'static Spec;

    /// One line for the console, the plan and the journal: what this call is about to do.
    fn preview(&self, call: &Call) -> String {
        call.summary(self.spec())
    }

    /// What this very call does to the world. Some options turn a change into a read: a template without a file to
    /// write to, a command declared to only look. The door and the plan decide by it.
    fn effect(&self, _call: &Call) -> Effect {
        self.spec().effect
    }

    /// Texts among the arguments that nobody may be shown: masked before the call is recorded anywhere. Unless a
    /// primitive knows better, these are the options named `password`, at any depth.
    fn secrets(&self, call: &Call) -> Vec<String> {
        call.option_texts(&["password"])
    }

    /// Does it. Every wait inside goes through [`Context::wait`], so it ends on cancellation and at its deadline.
    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure>;

    /// After a crash: did the call that was started and never finished happen?
    fn probe(&self, _context: &Context<'_>, _call: &Call) -> Result<Probe, Failure> {
        Ok(Probe::Unknown)
    }
}
