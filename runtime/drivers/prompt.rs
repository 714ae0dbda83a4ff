//! Questions to a person.

use crate::failure::{Failure, FailureKind};

/// How a question reaches a person: a terminal, or nobody.
pub trait Prompt: Send + Sync {
    /// Asks yes or no; gives up as soon as `abandoned` says so.
    fn confirm(&self, question: &str, abandoned: &dyn Fn() -> bool) -> Result<bool, Failure>;
}

/// Nobody is there: every question is refused.
pub struct Nobody;

impl Prompt for Nobody {
    fn confirm(&self, question: &str, _: &dyn Fn() -> bool) -> Result<bool, Failure> {
        Err(Failure::new(FailureKind::Refused, format!("nobody is there to answer `{question}`"))
            .hint("run it on a terminal, or answer beforehand with `--yes`"))
    }
}

/// The answer was given on the command line.
pub struct Yes;

impl Prompt for Yes {
    fn confirm(&self, _question: &str, _: &dyn Fn() -> bool) -> Result<bool, Failure> {
        Ok(true)
    }
}
