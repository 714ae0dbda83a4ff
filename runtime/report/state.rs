//! The words and colours for how runs and calls ended.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::style::Paint;
use super::{Style, elapsed};
use crate::journal::{CallRecord, CallState, RunRecord, RunState};

/// `failed after 1m02s`, as of now.
pub fn outcome(run: &RunRecord, style: Style) -> String {
    let (word, paint) = of_run(run.state);
    let (between, time) = match run.state {
        RunState::Running => (" for ", duration(run, Timestamp::now())),
        RunState::Waiting | RunState::InDoubt => {
            (" since ", run.parked.as_ref().map(|parked| clock(parked.at)).unwrap_or_default())
        }
        RunState::Ok => (" in ", duration(run, Timestamp::now())),
        _ => (" after ", duration(run, Timestamp::now())),
    };
    format!("{}{between}{time}", style.paint(paint, word))
}

/// A run's state in a word or two.
pub(super) fn of_run(state: RunState) -> (&'static str, Paint) {
    match state {
        RunState::Running => ("running", Paint::Active),
        RunState::Waiting => ("waiting", Paint::Warning),
        RunState::InDoubt => ("in doubt", Paint::Bad),
        RunState::Ok => ("ok", Paint::Good),
        RunState::Failed => ("failed", Paint::Bad),
        RunState::Cancelled => ("cancelled", Paint::Warning),
        RunState::Killed => ("killed", Paint::Bad),
    }
}

/// A call's state in a word, in a run of that state: one that was begun is not always under way.
pub(super) fn of_call(state: CallState, run: RunState) -> (&'static str, Paint) {
    match state {
        CallState::Started => match run {
            RunState::Running => ("running", Paint::Active),
            RunState::Waiting => ("waiting", Paint::Warning),
            _ => ("in doubt", Paint::Bad),
        },
        CallState::Done => ("ok", Paint::Good),
        CallState::Failed => ("failed", Paint::Bad),
        CallState::Cancelled => ("cancelled", Paint::Warning),
    }
}

/// The mark of a call, the same as on the console.
pub(super) fn mark(call: &CallRecord, run: RunState, style: Style) -> String {
    let mark = match (call.state, call.changed) {
        (CallState::Started, _) if run != RunState::Running => "?",
        (CallState::Started, _) => style.pick("▸", ">"),
        (CallState::Done, Some(false)) => return style.paint(Paint::Faint, "="),
        (CallState::Done, _) => style.pick("✓", "+"),
        (CallState::Failed, _) => style.pick("✗", "x"),
        (CallState::Cancelled, _) => "-",
    };
    style.paint(of_call(call.state, run).1, mark)
}

/// How long a run took, or has taken so far, since it began or was gone on with. One that stands still takes no longer.
pub(super) fn duration(run: &RunRecord, now: Timestamp) -> String {
    let until = run.parked.as_ref().filter(|_| run.state != RunState::Running).map_or(now, |parked| parked.at);
    let so_far = || u64::try_from(until.duration_since(run.owned_since).as_millis()).unwrap_or(0);
    elapsed(run.milliseconds.unwrap_or_else(so_far))
}

/// A moment in local time, to the second.
pub(super) fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
