//! Where failures began, so that each is told once although it passes through every call above.

use crate::failure::{Evidence, Failure};

/// Different messages remembered; a run that has more is not helped by them.
const REMEMBERED: usize = 100;

/// The failures of a run, each at the call where it began.
#[derive(Debug, Default)]
pub(super) struct Origins(Vec<Origin>);

/// Where a failure began.
#[derive(Debug)]
pub(super) struct Origin {
    path: String,
    message: String,
    told: bool,
    /// The innermost step around it.
    pub(super) step: Option<String>,
    /// The last output of the call, where the failure has no evidence of its own.
    pub(super) seen: Option<Evidence>,
}

impl Origins {
    /// Notes that a call failed, and answers whether its line should say why: `shown` is whether it has a line.
    ///
    /// `origin` gives the step and the last output, in case the failure began here.
    pub(super) fn note(
        &mut self,
        path: &str,
        failure: &Failure,
        shown: bool,
        origin: impl FnOnce() -> (Option<String>, Option<Evidence>),
    ) -> bool {
        if let Some(known) = self.0.iter_mut().find(|known| known.message == failure.message) {
            let passes_through = known.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
            let tell = shown && !(passes_through && known.told);
            if !passes_through {
                (known.step, known.seen) = origin();
                known.told = false;
            }
            known.told |= tell;
            path.clone_into(&mut known.path);
            return tell;
        }
        if self.0.len() < REMEMBERED {
            let (step, seen) = origin();
            self.0.push(Origin { path: path.to_owned(), message: failure.message.clone(), told: shown, step, seen });
        }
        shown
    }

    /// Where this failure began.
    pub(super) fn of(&self, failure: &Failure) -> Option<&Origin> {
        self.0.iter().find(|known| known.message == failure.message)
    }
}
