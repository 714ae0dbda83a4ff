use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Ground, Where};
use crate::cli::places;
use crate::failure::Failure;
use crate::project::{Environment, Project, ProjectFile};
use crate::secrets::sealed::Store;

/// Seal everything anew, with new keys inside, to the people who may read it now. The values stay the same.
#[derive(Args)]
pub struct Rekey {
    #[command(flatten)]
    place: Where,
}

impl Rekey {
    /// Seals the environment, or all that have a file.
    pub fn run(self) -> CommandResult {
        for ground in self.grounds()? {
            let change = ground.store.seal_anew(ground.environment(), &ground.identity()?)?;
            ground.told("sealed anew", change);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn grounds(&self) -> Result<Vec<Ground>, Failure> {
        if self.place.env.is_some() {
            let ground = self.place.ground()?;
            ground.opened()?;
            return Ok(vec![ground]);
        }
        all_grounds()
    }
}

/// Every environment that has a file, whether the project file still names it or not.
pub(super) fn all_grounds() -> Result<Vec<Ground>, Failure> {
    let root = places::root_here()?;
    let file = ProjectFile::load(&root)?;
    let store = Store::of(&root, &file)?;
    let environment = |name: &String| file.environments.get(name).cloned().unwrap_or_else(|| Environment::named(name));
    let project = |name: &String| Project::new(root.clone(), file.clone(), environment(name));
    store.environments()?.iter().map(|name| Ground::of(project(name))).collect()
}
