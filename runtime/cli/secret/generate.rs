use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Where};
use crate::failure::{Failure, FailureKind};
use crate::report;
use crate::secrets::{Kind, check_name};

/// Set a value that nobody thought up. It is not shown; of a key the public part is printed.
#[derive(Args)]
pub struct Generate {
    /// The secret's name
    name: String,
    /// `base64[:BYTES]`, `hex[:BYTES]`, `password[:LETTERS]` or `ed25519`
    #[arg(default_value = "base64:32")]
    kind: Kind,
    #[command(flatten)]
    place: Where,
}

impl Generate {
    /// Makes and seals the value.
    pub fn run(self) -> CommandResult {
        check_name(&self.name)?;
        let ground = self.place.ground()?;
        let generated = self.kind.make()?;
        let change = ground.store.change(ground.environment(), &ground.identity()?, |draft| {
            if draft.opened().value(&self.name).is_some() {
                let environment = &ground.environment().name;
                return Err(Failure::new(FailureKind::Conflict, format!("there is a `{}` already", self.name))
                    .hint(format!("`runbook secret rotate {} --env {environment}` makes a new one", self.name)));
            }
            draft.set(&self.name, &generated.text, Some(&self.kind.to_string())).map(drop)
        })?;
        ground.told(&format!("generated {}, {}", self.name, self.kind), change);
        publish(generated.public.as_deref())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints the public part of a key.
pub(super) fn publish(public: Option<&str>) -> Result<(), Failure> {
    let Some(public) = public else { return Ok(()) };
    write!(report::stdout(), "{public}").map_err(|error| Failure::system("write the public key", &error))
}
