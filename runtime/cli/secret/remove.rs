use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Where, no_such};

/// Remove a value.
#[derive(Args)]
pub struct Remove {
    /// The secret's name
    name: String,
    #[command(flatten)]
    place: Where,
}

impl Remove {
    /// Removes it.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let change = ground.store.change(ground.environment(), &ground.identity()?, |draft| {
            if draft.remove(&self.name) { Ok(()) } else { Err(no_such(&self.name, draft.opened())) }
        })?;
        ground.told(&format!("removed {}", self.name), change);
        Ok(ExitCode::SUCCESS)
    }
}
