//! Work of the engine that is done again where its own threads were late.
//!
//! After it has gone through the trees it expects of the threads that read them to be gone a tenth of a second later, and panics
//! where a busy machine had no time for them. Nothing was done until then that cannot be done again.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use crate::failure::{Failure, FailureKind};

/// How that panic begins.
const LATE: &str = "index still in use";
/// How often it is done at most.
const TIMES: u32 = 10;
/// How long it waits the first time; then twice as long, three times, …
const PAUSE: Duration = Duration::from_millis(200);

thread_local! {
    static PATIENT: Cell<bool> = const { Cell::new(false) };
}

/// Is a panic on this thread with this payload caught, and nothing that people must hear of?
pub fn is_made_good(payload: &(dyn Any + Send)) -> bool {
    PATIENT.get() && is_late(payload)
}

fn is_late(payload: &(dyn Any + Send)) -> bool {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    text.is_some_and(|text| text.starts_with(LATE))
}

/// Does `work`, which changes nothing, again as long as the engine's threads are late; `what` completes the sentence "cannot …".
pub fn patiently<T>(what: &str, work: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    again(what, PAUSE, work)
}

fn again<T>(what: &str, pause: Duration, work: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    for time in 1..=TIMES {
        PATIENT.set(true);
        let ended = catch_unwind(AssertUnwindSafe(&work));
        PATIENT.set(false);
        match ended {
            Ok(result) => return result,
            Err(panic) if is_late(&*panic) => std::thread::sleep(pause * time),
            Err(panic) => resume_unwind(panic),
        }
    }
    Err(Failure::new(
        FailureKind::Timeout,
        format!("cannot {what}: this machine has no time for the threads that read it"),
    )
    .hint("do it again when the machine is less busy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_too_early_is_done_again_and_at_last_given_up() {
        let times = Cell::new(0);
        let early = |good: u32| {
            times.set(times.get() + 1);
            assert!(times.get() >= good, "index still in use: …");
            Ok(times.get())
        };
        assert_eq!(again("check", Duration::ZERO, || early(3)).unwrap(), 3);
        assert!(!PATIENT.get());
        times.set(0);
        let failure = again("check the repository", Duration::ZERO, || early(100)).unwrap_err();
        assert_eq!(times.get(), TIMES);
        assert!(failure.message.starts_with("cannot check the repository: this machine has no time"), "{failure}");
    }

    #[test]
    fn any_other_panic_goes_on_and_is_heard_of() {
        let times = Cell::new(0);
        let panicking = || -> Result<(), Failure> {
            times.set(times.get() + 1);
            assert!(!is_made_good(&"another") && is_made_good(&LATE.to_owned()));
            panic!("another");
        };
        assert!(catch_unwind(AssertUnwindSafe(|| patiently("check", panicking))).is_err());
        assert_eq!(times.get(), 1);
    }
}
