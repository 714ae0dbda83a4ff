use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Where};
use crate::drivers::backup::Repository;
use crate::report;
use crate::secrets::Sources;

/// Make a repository, and say how to read it without this program.
#[derive(Args)]
pub struct Init {
    #[command(flatten)]
    place: Where,
}

impl Init {
    /// Makes it.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let password = Sources::of(&ground.project)?.get(&ground.password)?.text;
        Repository::init(&ground.folder, password.expose())?;
        let (folder, secret) = (ground.folder.display(), &ground.password);
        let environment = &ground.project.environment().name;
        report::note(&format!(
            "made the repository {name} in {folder}\n\
             \n\
             Whoever has the folder and the password reads it without runbook. Keep the password elsewhere, too:\n\
             without it nobody reads anything.\n\
             \n  \
             export RESTIC_PASSWORD=\"$(runbook secret get {secret} --env {environment} --reveal)\"\n  \
             restic -r {folder} snapshots\n  \
             restic -r {folder} check --read-data\n  \
             restic -r {folder} restore latest --target /tmp/restored",
            name = ground.name,
        ));
        Ok(ExitCode::SUCCESS)
    }
}
