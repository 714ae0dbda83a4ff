use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};

use super::meter::Flow;
use super::source::tally_of;
use super::tally::NOBODYS;
use super::unpack::Hashing;
use super::{DATA, PartRecord, Repository, Snapshot, Tally, Wanted};
use crate::drivers::sqlite;
use crate::failure::{Failure, FailureKind};

/// How a part is restored.
#[derive(Clone, Debug)]
pub struct Placing {
    /// Where to: a path whose folder is there.
    pub target: PathBuf,
    /// Nobody else's: what is half there carries it.
    pub key: String,
    /// Give files back to whom they belonged.
    pub owners: bool,
    /// May something be in the way? Then it makes way once everything is there, and is removed.
    pub replace: bool,
}

impl Placing {
    /// Where it is put together.
    pub fn beside(&self) -> PathBuf {
        let name = self.target.file_name().unwrap_or_default().to_string_lossy();
        self.target.with_file_name(format!(".{name}.{}.restoring", self.key))
    }

    /// Is something in the way?
    pub fn is_taken(&self) -> Result<bool, Failure> {
        let failed = |error| Failure::system(format!("look at `{}`", self.target.display()), &error);
        let Ok(metadata) = fs::symlink_metadata(&self.target) else { return Ok(false) };
        if !metadata.is_dir() {
            return Ok(true);
        }
        Ok(fs::read_dir(&self.target).map_err(failed)?.next().is_some())
    }

    /// Does the target hold what the snapshot has to hold?
    pub fn is_done(&self, record: &PartRecord, wanted: &Wanted) -> Result<bool, Failure> {
        let (there, is_folder) = match fs::symlink_metadata(&self.target) {
            Ok(metadata) if metadata.is_dir() => (tally_of(&self.target, wanted)?, true),
            Ok(metadata) if metadata.is_file() => (tally_of_file(&self.target)?, false),
            _ => return Ok(false),
        };
        let is_theirs = !is_folder || !self.owners || there.rights == record.tally.rights;
        // A database with a journal beside it says something else than its file alone.
        let is_alone = record.facts.get("sqlite").is_none() || !sqlite::has_journal(&self.target);
        Ok(is_alone && is_theirs && there.content == record.tally.content)
    }

    /// Removes what is half there.
    pub fn tidy(&self) -> Result<(), Failure> {
        self.forget_aside()?;
        let beside = self.beside();
        let Ok(metadata) = fs::symlink_metadata(&beside) else { return Ok(()) };
        let removed = if metadata.is_dir() { fs::remove_dir_all(&beside) } else { fs::remove_file(&beside) };
        removed.map_err(|error| Failure::system(format!("remove `{}`", beside.display()), &error))
    }
}

impl Repository {
    /// Restores a part of a snapshot: aside first, compared with the manifest both as it came and as it is on the disk, then
    /// to its place. `inside` is its path in the snapshot. Without a manifest, for a snapshot of `restic`, the disk is
    /// compared with the snapshot alone.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        inside: &str,
        record: Option<&PartRecord>,
        placing: &Placing,
    ) -> Result<Tally, Failure> {
        let shown = placing.target.display();
        if placing.is_taken()? && !placing.replace {
            return Err(Failure::new(FailureKind::Conflict, format!("`{shown}` is there already")));
        }
        placing.settle(record)?;
        placing.tidy()?;
        let beside = placing.beside();
        let is_folder = self.is_folder(&snapshot.id, inside)?;
        let (came, there) = if is_folder {
            let bytes = record.map(|record| record.tally.bytes);
            self.meter().begin("restoring", Flow::Content, bytes);
            self.unpack(&snapshot.id, inside, &beside, placing.owners)?
        } else {
            self.pour_into(&snapshot.id, inside, &beside)?
        };
        compare(record.map_or(&came, |record| &record.tally), &came, &there, is_folder && placing.owners).map_err(
            |what| {
                let message =
                    format!("what was restored is not what snapshot {} has to hold: {what}", snapshot.short());
                Failure::new(FailureKind::Check, message)
                    .hint(format!("it is in `{}`; nothing else was touched", beside.display()))
            },
        )?;
        let database = record.and_then(|record| record.facts.get("sqlite"));
        if let Some(tables) = database {
            fit(&beside, tables)?;
            placing.set_aside()?;
        }
        put(&beside, &placing.target).inspect_err(|_| {
            // Failing that, the next attempt gives them back.
            let _ = placing.give_back();
        })?;
        placing.tidy()?;
        Ok(there)
    }

    fn pour_into(&self, snapshot: &str, inside: &str, path: &Path) -> Result<(Tally, Tally), Failure> {
        let failed = |error: std::io::Error| Failure::system(format!("write `{}`", path.display()), &error);
        let mut out = BufWriter::new(fs::File::create_new(path).map_err(failed)?);
        let came = self.pour(snapshot, inside, &mut out)?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        self.meter().begin("comparing", Flow::Content, Some(came.bytes));
        let there = tally_as(path, Hashing::metered(std::io::sink(), self.meter()))?;
        Ok((came, there))
    }
}

/// Is it a database that is whole, with as many rows as it had?
fn fit(file: &Path, tables: &Value) -> Result<(), Failure> {
    let found = json!(sqlite::inspect(file)?);
    // A database that is looked at may get files beside it.
    sqlite::forget_journals(file)?;
    if found == *tables {
        return Ok(());
    }
    let message = format!("the database that was restored has other numbers of rows: {found} instead of {tables}");
    Err(Failure::new(FailureKind::Check, message)
        .hint(format!("it is in `{}`; nothing else was touched", file.display())))
}

/// Where the parts of a snapshot are in it.
pub fn inside(part: &str) -> String {
    format!("{DATA}/{part}")
}

/// Exchanges the two where something is in the way: at no moment is there nothing.
fn put(beside: &Path, target: &Path) -> Result<(), Failure> {
    let flags = if fs::symlink_metadata(target).is_ok() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    renameat_with(CWD, beside, CWD, target, flags)
        .map_err(|error| Failure::system(format!("put `{}` into its place", target.display()), &error.into()))
}

/// What a stream that was restored to a file is, as its part of the manifest has it.
pub(super) fn tally_of_file(path: &Path) -> Result<Tally, Failure> {
    tally_as(path, Hashing::new(std::io::sink()))
}

fn tally_as(path: &Path, mut hashing: Hashing<std::io::Sink>) -> Result<Tally, Failure> {
    let failed = |error: std::io::Error| Failure::system(format!("read `{}`", path.display()), &error);
    std::io::copy(&mut fs::File::open(path).map_err(failed)?, &mut hashing).map_err(failed)?;
    hashing.flush().map_err(failed)?;
    let (bytes, hash) = hashing.finish();
    let mut tally = Tally::default();
    tally.file(Path::new(""), NOBODYS, bytes, &hash);
    Ok(tally)
}

/// What is not as it has to be.
pub fn compare(wanted: &Tally, came: &Tally, there: &Tally, rights: bool) -> Result<(), String> {
    for (found, place) in [(came, "the repository"), (there, "the disk")] {
        let counts = |tally: &Tally| (tally.files, tally.folders, tally.links, tally.bytes);
        if counts(found) != counts(wanted) {
            let words = |tally: &Tally| {
                let Tally { files, folders, links, bytes, .. } = tally;
                format!("{files} files, {folders} folders, {links} links, {bytes} bytes")
            };
            return Err(format!("{place} has {} instead of {}", words(found), words(wanted)));
        }
        if found.content != wanted.content {
            return Err(format!("{place} has other content"));
        }
        if rights && found.rights != wanted.rights {
            return Err(format!("{place} has other modes or owners"));
        }
    }
    Ok(())
}
