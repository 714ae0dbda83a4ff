//! A redactor for texts that come from elsewhere: it knows whatever secrets an environment has.

use super::{Redactor, Sources, secret_in};
use crate::failure::{Failure, FailureKind};
use crate::project::Project;

/// Knows the secrets that the environment's sources can name, and what looks like one in the variables of this process. Fails
/// when one of them cannot be had.
pub fn redactor_of(project: &Project) -> Result<Redactor, Failure> {
    let redactor = of_process();
    let sources = Sources::of(project)?;
    for name in sources.names()? {
        match sources.get(&name) {
            Ok(found) => redactor.learn(found.text.expose()),
            // Empty, or such that no run gets it as a secret.
            Err(failure) if matches!(failure.kind, FailureKind::NotFound | FailureKind::Invalid) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(redactor)
}

/// The same as far as they can be had: for words that say why something does not work, which may be that very source.
pub fn redactor_as_far_as_known(project: &Project) -> Redactor {
    let redactor = of_process();
    if let Ok(sources) = Sources::of(project) {
        for name in sources.names().unwrap_or_default() {
            if let Ok(found) = sources.get(&name) {
                redactor.learn(found.text.expose());
            }
        }
    }
    redactor
}

fn of_process() -> Redactor {
    let redactor = Redactor::default();
    for (name, value) in std::env::vars_os() {
        if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string())
            && let Some(secret) = secret_in(&name, &value)
        {
            redactor.learn(secret);
        }
    }
    redactor
}
