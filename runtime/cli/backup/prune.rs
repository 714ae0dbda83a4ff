use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandResult, Where, told};
use crate::cli::history;
use crate::drivers::backup::Access;
use crate::failure::{Failure, FailureKind};
use crate::report;

/// Remove what no snapshot needs any more, in two steps: what is marked today is removed by a prune a day later.
#[derive(Args)]
pub struct Prune {
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Prune {
    /// Prunes, and looks whether everything is still there.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let repository = ground.open(Access::Alone)?.repository;
        let pruned = told("prune", self.json, &repository.meter(), || repository.prune())?;
        let checked = repository.check(false)?;
        if let Some(first) = checked.errors.first() {
            let message = format!("the repository {} is damaged after the prune: {first}", ground.name);
            return Err(Failure::new(FailureKind::Check, message).hint("`runbook backup check` lists everything"));
        }
        if self.json {
            history::answer(|out| report::document(out, &json!({ "repository": ground.name, "pruned": pruned })))?;
        }
        report::note(&format!(
            "{} needed; {} packs marked, {} removed that were marked before; checked",
            report::bytes(pruned.used),
            pruned.marked,
            pruned.removed
        ));
        Ok(ExitCode::SUCCESS)
    }
}
