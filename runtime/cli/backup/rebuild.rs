use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandResult, Where};
use crate::cli::history;
use crate::drivers::backup::Access;
use crate::primitive::{Catalogue, Catalogued};
use crate::report;

/// Make the catalogue of snapshots in the run log anew, out of the repository. What is known of proofs and copies stays; what is
/// gone is forgotten.
#[derive(Args)]
pub struct Rebuild {
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Rebuild {
    /// Reads every manifest.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let opened = ground.open(Access::Shared)?;
        let read = |snapshot| Catalogued::read(&opened.repository, snapshot);
        let all: Vec<Catalogued> = opened.snapshots.iter().map(read).collect();
        opened.journal.rebuild(&ground.name, &all)?;
        let gone = opened.known.iter().filter(|row| row.gone).count();
        let lost = if gone == 0 { String::new() } else { format!("; {gone} that are gone are forgotten") };
        if self.json {
            let document = json!({ "repository": ground.name, "snapshots": all.len(), "forgotten": gone });
            history::answer(|out| report::document(out, &document))?;
        }
        report::note(&format!("the catalogue of {} has {} snapshots{lost}", ground.name, all.len()));
        Ok(ExitCode::SUCCESS)
    }
}
