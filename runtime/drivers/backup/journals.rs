use std::fs;
use std::path::{Path, PathBuf};

use super::PartRecord;
use super::restore::{Placing, tally_of_file};
use crate::drivers::sqlite;
use crate::failure::Failure;

impl Placing {
    /// The files beside the database that is replaced, each with where it is while the two are exchanged. A database and what
    /// is beside it are one: the old one has its own until the new one is in its place.
    fn journals(&self) -> impl Iterator<Item = (PathBuf, PathBuf)> {
        let mut aside = self.beside().into_os_string();
        aside.push(".before");
        sqlite::beside(&self.target).zip(sqlite::beside(Path::new(&aside)).collect::<Vec<_>>())
    }

    /// Takes them away from the path that the new database comes to.
    pub(super) fn set_aside(&self) -> Result<(), Failure> {
        self.journals().try_for_each(|(journal, aside)| move_to(&journal, &aside))
    }

    /// Gives them back, when the old database is still in its place.
    pub(super) fn give_back(&self) -> Result<(), Failure> {
        self.journals().try_for_each(|(journal, aside)| move_to(&aside, &journal))
    }

    /// Makes a database whole again over whose replacement a process died: before anything of it is read or saved.
    pub fn settle(&self, record: Option<&PartRecord>) -> Result<(), Failure> {
        if !self.journals().any(|(_, aside)| aside.exists()) {
            return Ok(());
        }
        // What was to come is where it was put together, or it is in its place already.
        let (beside, record) = (self.beside(), record.map(|record| &record.tally.content));
        if beside.is_file() && record == Some(&tally_of_file(&beside)?.content) { self.give_back() } else { Ok(()) }
    }

    /// Removes those of a database that is gone.
    pub(super) fn forget_aside(&self) -> Result<(), Failure> {
        let mut asides = self.journals().map(|(_, aside)| aside).filter(|aside| aside.exists());
        asides.try_for_each(|aside| {
            fs::remove_file(&aside).map_err(|error| Failure::system(format!("remove `{}`", aside.display()), &error))
        })
    }
}

fn move_to(from: &Path, to: &Path) -> Result<(), Failure> {
    if !from.exists() {
        return Ok(());
    }
    fs::rename(from, to)
        .map_err(|error| Failure::system(format!("move `{}` to `{}`", from.display(), to.display()), &error))
}
