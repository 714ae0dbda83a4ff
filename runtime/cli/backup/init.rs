use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandResult, Where};
use crate::cli::history;
use crate::drivers::backup::Repository;
use crate::project::RepositoryPlace;
use crate::report;

/// Make a repository, and say how to read it without this program.
#[derive(Args)]
pub struct Init {
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Init {
    /// Makes it.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let (location, password) = ground.opening()?;
        Repository::init(&location, password.expose())?;
        let environment = &ground.project.environment().name;
        let export = |variable: &str, secret: &str| {
            format!("  export {variable}=\"$(runbook secret get {secret} --env {environment} --reveal)\"\n")
        };
        let mut exports = export("RESTIC_PASSWORD", &ground.entry.password);
        let mut what = "folder";
        if let Ok(RepositoryPlace::Bucket { access_key, secret_key, .. }) = ground.entry.place() {
            exports.push_str(&export("AWS_ACCESS_KEY_ID", access_key));
            exports.push_str(&export("AWS_SECRET_ACCESS_KEY", secret_key));
            what = "bucket";
        }
        if self.json {
            let document = json!({
                "repository": ground.name, "place": location.shown(), "restic": format!("restic {}", location.restic()),
            });
            history::answer(|out| report::document(out, &document))?;
            return Ok(ExitCode::SUCCESS);
        }
        report::note(&format!(
            "made the repository {name} in {place}\n\
             \n\
             Whoever has the {what} and the password reads it without runbook. Keep the password elsewhere, too:\n\
             without it nobody reads anything.\n\
             \n\
             {exports}  \
             restic {restic} snapshots\n  \
             restic {restic} check --read-data\n  \
             restic {restic} restore latest --target /tmp/restored",
            name = ground.name,
            place = location.shown(),
            restic = location.restic(),
        ));
        Ok(ExitCode::SUCCESS)
    }
}
