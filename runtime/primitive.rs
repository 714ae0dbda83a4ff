//! The contract: what a primitive is, and everything it may see.
//!
//! A primitive is one thing a runbook can do. It states its arguments, options and effect in a [`Spec`], from which
//! argument errors, `runbook check`, the plan, the journal and the reference pages all derive, and it reaches the world
//! only through the [`Context`] it is handed. It knows no Rhai, no command line and no other primitive, and it is only
//! ever called by the door in `run/`, so it never has to think about journals, permissions or redaction.

mod announcement;
mod block;
mod call;
mod cancel;
mod catalogue;
mod change;
mod context;
mod drills;
mod hosts;
mod leases;
mod need;
mod options;
mod outcome;
mod planned_disk;
mod releases;
mod repositories;
mod retention;
mod sink;
mod spec;

pub use crate::failure::{Evidence, Failure, FailureKind};
pub use crate::units::{ByteSize, FileMode, Span};
pub use announcement::Announcement;
pub use block::{Block, STACK};
pub use call::{Call, KIND, Site, handle, kind_of};
pub use cancel::{Cancel, CancelReason};
pub use catalogue::{
    Catalogue, Catalogued, CataloguedPart, CheckScope, Proof, ProofKind, Reading, check_and_note, parts_due, reconcile,
};
pub use change::{
    Action, Change, Prediction, Touches, as_planned, hide_unknown, show_hidden, unknown, unknown_in_text, unknown_of,
    unknown_shown, unknown_text, unknown_within, unknowns_within, without_unknown,
};
pub use context::{Context, LogStream, MARKERS_DROPPED, MakeSecret, Progress, Reached, RunFacts, Services};
pub use drills::{Drill, standing};
pub use hosts::target_named;
pub use leases::{Lease, LeaseRequest};
pub use need::{Need, NeedKind, text_of};
pub use options::{BlockRef, OptionDoc, OptionType, OptionsSpec, parse as parse_options};
pub use outcome::{Outcome, Probe, Recovery};
pub use planned_disk::{Left, PlannedDisk};
pub use releases::{Release, ReleaseState};
pub use repositories::{Needs, opening, repository_needs};
pub use retention::{Judged, Judgement, judge};
pub use sink::{ON, Sink, misplaced, place};
pub use spec::{Arg, Effect, Spec, Ty};

use serde_json::Value;

/// One thing a runbook can do.
pub trait Primitive: Send + Sync {
    /// Name, arguments, options, effect, summary and example.
    fn spec(&self) -> &'static Spec;

    /// What of the world this very call reaches: each must be granted before it happens. It has no default, so that
    /// nothing is granted by having been forgotten. Asked before anything else, also without a run, about calls whose
    /// values are not all known; what a call finds out only on its way it asks for with [`Context::granted`].
    fn needs(&self, call: &Call) -> Vec<Need>;

    /// The repositories of backups that this very call works with, as it names them; `null` stands for the only one there is.
    /// What the project file says of them (a secret, a folder, a host) is needed besides: see [`Needs`]. One that is opened
    /// without being named here asks for it then.
    fn repositories(&self, _call: &Call) -> Vec<Value> {
        Vec::new()
    }

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

    /// The places of this call in which a secret may stand: only there it becomes what it is, and only inside of
    /// [`call`](Self::call), [`probe`](Self::probe) and [`predict`](Self::predict). Everywhere else it is refused.
    ///
    /// A call that only computes or arranges others hands secrets on as they are, from the same places. A handle may have
    /// secrets in it wherever it is handed over: they were put there by a call that may.
    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        Vec::new()
    }

    /// Does it. Every wait inside goes through [`Context::wait`], so it ends on cancellation and at its deadline. A failure
    /// of the kind `halted` says that nobody knows what became of it: the run stands still until it is resumed.
    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure>;

    /// What is to be done about this call when it was started and never finished.
    ///
    /// Unless a primitive knows better, a look is made again and a change is a person's question.
    fn recovery(&self, call: &Call) -> Recovery {
        match self.effect(call) {
            Effect::Flow | Effect::Pure | Effect::Read => Recovery::Pure,
            Effect::Change | Effect::Destroy => Recovery::Ask,
        }
    }

    /// Asked when [`recovery`](Self::recovery) is [`Recovery::Probe`]: did the call that was started and never finished
    /// happen? It must look at something that came into the world in one piece with the effect: a label, a checksum, the
    /// marker that the call left with [`Context::mark`] or in [`Context::marker_folder`].
    fn probe(&self, _context: &Context<'_>, _call: &Call) -> Result<Probe, Failure> {
        Ok(Probe::Unknown)
    }

    /// What the script gets when a person says that the call happened, and not what it returned: what one returns that ended well, as
    /// far as that can be known.
    fn presumed(&self, _call: &Call) -> Value {
        Value::Null
    }

    /// Does the call leave something behind only to be probed by? Then [`clean_up`](Self::clean_up) is called for it.
    fn leaves_marker(&self, _call: &Call) -> bool {
        false
    }

    /// Removes what the call left behind only to be probed by. Called once its end is in the journal, possibly again
    /// after a crash, possibly by a later process; trouble is nobody's failure.
    fn clean_up(&self, _context: &Context<'_>, _call: &Call) {}

    /// What this call looks at or changes. A plan makes a look for real only while no planned change touches the same.
    fn touches(&self, _context: &Context<'_>, _call: &Call) -> Touches {
        Touches::Anything
    }

    /// For a plan: are the arguments known well enough to ask [`predict`](Self::predict)? Unless a primitive knows better,
    /// all of them must be.
    fn foresees(&self, call: &Call) -> bool {
        call.is_known()
    }

    /// For a plan: what this call would change and return, found out by looking only. Asked for every change, and for a
    /// look at something that a planned change touches.
    fn predict(&self, _context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let preview = self.preview(call);
        Ok(match self.effect(call) {
            Effect::Change | Effect::Destroy => {
                let value = unknown(format!("what `{preview}` returns"));
                Prediction::one(Change::new(Action::Run, preview), value)
            }
            Effect::Flow | Effect::Pure | Effect::Read => Prediction::unseen(&preview),
        })
    }

    /// Does it wait for what other calls bring about? A plan takes it for granted after the first change.
    fn is_gate(&self) -> bool {
        false
    }

    /// The part of a look's result that must be the same for a plan to stay true: without times and counters.
    fn observed(&self, _call: &Call, result: &Value) -> Value {
        result.clone()
    }

    /// The compose application, and the engine it is on, that this call changes: one run at a time may do that. Its lock is
    /// taken before the call, unless the call itself takes it once it knows that there is something to change.
    fn guards(&self, _context: &Context<'_>, _call: &Call) -> Option<Guard> {
        None
    }
}

/// What only one run at a time may change, or remember as it was before its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The engine's address as the handle has it; empty for the default one.
    pub engine: String,
    /// The compose project's name.
    pub project: String,
    /// Does the call itself take the lock, with [`Services::take_lock`], once it knows that it changes something?
    pub is_late: bool,
}
