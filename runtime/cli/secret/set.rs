use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Where, input};
use crate::secrets::check_name;

/// Set a value: the one on standard input, or one that is asked for twice at the terminal.
///
/// A value is never an argument: arguments are seen by everybody on the machine, and stay in the shell's history.
#[derive(Args)]
pub struct Set {
    /// The secret's name
    name: String,
    #[command(flatten)]
    place: Where,
}

impl Set {
    /// Seals the value.
    pub fn run(self) -> CommandResult {
        check_name(&self.name)?;
        let ground = self.place.ground()?;
        // Who may not do it is told so before typing a value.
        let identity = ground.identity()?;
        let value = input::value(&self.name)?;
        let change = ground
            .store
            .change(ground.environment(), &identity, |draft| draft.set(&self.name, &value, None).map(drop))?;
        ground.told(&format!("set {}", self.name), change);
        Ok(ExitCode::SUCCESS)
    }
}
