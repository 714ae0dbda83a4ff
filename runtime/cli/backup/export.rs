use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::{CommandResult, Opened, Where, told};
use crate::cli::history;
use crate::drivers::backup::{Access, Flow, PartRecord, Repository, Snapshot, Tally, choose, find};
use crate::failure::{Failure, FailureKind};
use crate::report;

/// Write a part of a snapshot to a plain file that anybody reads without this program: a folder as a tar archive, a dump as it is.
#[derive(Args)]
pub struct Export {
    /// The first digits of the snapshot's name, or `latest`
    snapshot: String,
    /// The file to make; `-` is standard output. What ends in `.gz` is compressed
    to: PathBuf,
    /// The part; the only one when left out. Of a snapshot that restic made: a path in it
    #[arg(long)]
    part: Option<String>,
    /// The job whose snapshot `latest` means; the project's name when left out
    #[arg(long)]
    job: Option<String>,
    #[command(flatten)]
    place: Where,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// What is written, and where it comes from.
struct Work<'a> {
    repository: &'a Repository,
    snapshot: &'a Snapshot,
    inside: &'a str,
    record: Option<&'a PartRecord>,
}

impl Export {
    /// Writes it, and compares with the manifest.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let Opened { repository, snapshots, .. } = ground.open(Access::Shared)?;
        let job = self.job.as_deref().unwrap_or(ground.project.name());
        let snapshot = find(snapshots, &self.snapshot, job)?;
        let manifest = repository.manifest(&snapshot)?;
        let (inside, record) = choose(&snapshot, manifest.as_ref(), self.part.as_deref())?;
        let work = Work { repository: &repository, snapshot: &snapshot, inside: &inside, record };
        if self.to == Path::new("-") {
            told("export", self.json, &repository.meter(), || work.write(&mut report::stdout()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let tally = told("export", self.json, &repository.meter(), || work.write_file(&self.to))?;
        if self.json {
            let document = json!({
                "snapshot": snapshot.id, "part": inside, "file": self.to.display().to_string(), "files": tally.files,
                "bytes": tally.bytes,
            });
            history::answer(|out| report::document(out, &document))?;
        }
        report::note(&format!(
            "wrote {} files, {} to {}; compared with {}",
            tally.files,
            report::bytes(tally.bytes),
            self.to.display(),
            if record.is_some() { "the manifest" } else { "nothing: restic made the snapshot" }
        ));
        Ok(ExitCode::SUCCESS)
    }
}

impl Work<'_> {
    /// Aside first; under its name once all of it is there, and is what it has to be.
    fn write_file(&self, to: &Path) -> Result<Tally, Failure> {
        let failed = |error: std::io::Error| Failure::system(format!("write `{}`", to.display()), &error);
        if fs::symlink_metadata(to).is_ok() {
            return Err(Failure::new(FailureKind::Conflict, format!("`{}` is there already", to.display())));
        }
        let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let aside = to.with_file_name(format!(".{name}.{}.exporting", std::process::id()));
        let write = || {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside).map_err(failed)?;
            let mut out = BufWriter::with_capacity(256 << 10, file);
            let tally = if to.extension().is_some_and(|extension| extension == "gz") {
                let mut packed = GzEncoder::new(&mut out, Compression::default());
                let tally = self.write(&mut packed)?;
                packed.finish().map_err(failed)?;
                tally
            } else {
                self.write(&mut out)?
            };
            let file: File = out.into_inner().map_err(|error| failed(error.into_error()))?;
            file.sync_all().map_err(failed)?;
            // Nobody else's file makes way for it.
            fs::hard_link(&aside, to).map_err(failed)?;
            Ok(tally)
        };
        let written = write();
        let _ = fs::remove_file(&aside);
        written
    }

    fn write(&self, out: &mut dyn Write) -> Result<Tally, Failure> {
        let tally = if self.repository.is_folder(&self.snapshot.id, self.inside)? {
            let bytes = self.record.map(|record| record.tally.bytes);
            self.repository.meter().begin("reading", Flow::Content, bytes);
            let name = self.inside.rsplit('/').find(|part| !part.is_empty()).unwrap_or("files");
            self.repository.pack(&self.snapshot.id, self.inside, Path::new(name), out)?
        } else {
            self.repository.pour(&self.snapshot.id, self.inside, out)?
        };
        match self.record {
            Some(record) if record.tally.content != tally.content => {
                let message = format!("`{}` of snapshot {} is not what was saved", self.inside, self.snapshot.short());
                Err(Failure::new(FailureKind::Check, message))
            }
            _ => Ok(tally),
        }
    }
}
