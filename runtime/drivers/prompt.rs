//! Questions to a person.

use crate::failure::Failure;

/// How a question reaches a person: a terminal, or nobody.
pub trait Prompt: Send + Sync {
    /// Asks yes or no; gives up as soon as `abandoned` says so. `None` when nobody is there to answer.
    fn confirm(&self, question: &str, abandoned: &dyn Fn() -> bool) -> Result<Option<bool>, Failure>;

    /// Asks a person to type this name: for what must not be agreed to in passing. `None` when nobody is there, also where
    /// every question was answered beforehand.
    fn type_name(&self, _question: &str, _name: &str, _: &dyn Fn() -> bool) -> Result<Option<bool>, Failure> {
        Ok(None)
    }
}

/// Nobody is there: the question has to wait.
pub struct Nobody;

impl Prompt for Nobody {
    fn confirm(&self, _question: &str, _: &dyn Fn() -> bool) -> Result<Option<bool>, Failure> {
        Ok(None)
    }
}

/// The answer was given on the command line.
pub struct Yes;

impl Prompt for Yes {
    fn confirm(&self, _question: &str, _: &dyn Fn() -> bool) -> Result<Option<bool>, Failure> {
        Ok(Some(true))
    }
}
