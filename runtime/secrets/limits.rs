//! What a value must be like.

use super::text::SecretText;
use crate::failure::{Failure, FailureKind};
use crate::project::Environment;

/// A value for production that is shorter is guessed sooner or later, and is part of too much harmless text to be masked.
pub(super) const SHORTEST: usize = 8;

/// The largest value, in bytes: an environment takes no more.
pub(super) const LARGEST: usize = 128 << 10;

/// Can this be the value of a secret of that environment?
pub fn check_value(name: &str, text: &SecretText, environment: &Environment) -> Result<(), Failure> {
    let text = text.expose();
    let problem = if text.contains('\0') {
        "holds a NUL byte, which no environment and no file of variables can carry".to_owned()
    } else if text.len() > LARGEST {
        format!("is larger than {} KiB", LARGEST >> 10)
    } else if environment.is_for_production() && text.chars().count() < SHORTEST {
        format!("is shorter than {SHORTEST} characters, which is too short for `{}`", environment.name)
    } else {
        return Ok(());
    };
    Err(Failure::new(FailureKind::Invalid, format!("the secret `{name}` {problem}"))
        .hint(format!("`runbook secret generate {name} --env {}` makes a good one", environment.name)))
}
