use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{CommandResult, Opened, Where, moment, told};
use crate::cli::history;
use crate::drivers::backup::{Access, Order};
use crate::primitive::{Catalogue, Catalogued};
use crate::primitives::{Imports, moment as moment_of};
use crate::report;

/// Take files of older backups into the repository, as one snapshot of the time they were made: tar archives, dumps of PostgreSQL
/// and of Redis, also with gzip or zstd.
#[derive(Args)]
pub struct Import {
    /// The files; each becomes a part
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The job the snapshot belongs to; the project's name when left out
    #[arg(long)]
    job: Option<String>,
    /// The name of the part; that of the file when left out
    #[arg(long)]
    name: Option<String>,
    /// When it was made: `2024-05-01`, `2024-05-01 03:00` or with a zone; when the newest of the files was changed when left out
    #[arg(long)]
    time: Option<String>,
    /// A tag of the snapshot, beside `imported`
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Import {
    /// Looks at each file, saves it, and reads it back.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let given = self.time.as_deref().map(moment_of).transpose()?;
        let Opened { repository, journal, .. } = ground.open(Access::Shared)?;
        let scratch = ground.project.state_folder().join("import");
        let Imports { parts, kinds, time, doubts } = Imports::open(&self.files, self.name.as_deref(), given, &scratch)?;
        let job = self.job.unwrap_or_else(|| ground.project.name().to_owned());
        let mut order = Order { job, time: Some(time), ..Order::default() };
        order.call = format!("import/{}/{}", std::process::id(), Timestamp::now().as_millisecond());
        order.tags = ["imported".to_owned()].into_iter().chain(self.tags).collect();
        for doubt in &doubts {
            report::note(&format!("warning: {doubt}"));
        }
        let meter = repository.meter();
        let (snapshot, manifest) = told("import", self.json, &meter, || repository.save(&order, parts))?;
        let row = Catalogued::of(&snapshot, manifest);
        journal.note_snapshots(&ground.name, &[row], &[], Timestamp::MIN)?;
        if self.json {
            let document = json!({ "repository": ground.name, "snapshot": snapshot, "kinds": kinds });
            history::answer(|out| report::document(out, &document))?;
        }
        report::note(&format!(
            "{} is snapshot {} of {}, {}: {}, {} new",
            kinds.join(" and "),
            snapshot.short(),
            snapshot.group(),
            moment(&snapshot),
            report::bytes(snapshot.bytes),
            report::bytes(snapshot.added)
        ));
        Ok(ExitCode::SUCCESS)
    }
}
