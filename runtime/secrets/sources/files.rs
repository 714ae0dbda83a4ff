use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{LARGEST, SecretText, Source, check_name, without_line_break};
use crate::drivers::disk;
use crate::failure::{Failure, FailureKind};
use crate::units::ByteSize;

/// A folder with one file per secret: `/run/secrets` of a container, `$CREDENTIALS_DIRECTORY` of a systemd service.
pub(super) struct Files {
    written: String,
    /// `None` when the variable that should hold it is not set.
    folder: Option<PathBuf>,
}

impl Files {
    /// A folder that may not be there; `$NAME` stands for the folder which that variable holds.
    pub(super) fn new(root: &Path, written: &str) -> Self {
        let folder = match written.strip_prefix('$') {
            Some(variable) => std::env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from),
            None => Some(root.join(written)),
        };
        Self { written: written.to_owned(), folder }
    }
}

impl Source for Files {
    fn label(&self) -> String {
        match &self.folder {
            None => format!("the folder `{}`, which is not set", self.written),
            Some(folder) if folder.is_dir() => format!("the folder `{}`", self.written),
            Some(_) => format!("the folder `{}`, which is not there", self.written),
        }
    }

    fn get(&self, name: &str) -> Result<Option<SecretText>, Failure> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let path = folder.join(name);
        if let Err(error) = path.metadata() {
            return match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
                _ => Err(Failure::system(format!("read `{}`", path.display()), &error)),
            };
        }
        let Some(written) = path.to_str() else {
            return Err(Failure::new(FailureKind::Invalid, format!("the path `{}` is not text", path.display())));
        };
        let text = disk::text(&disk::Place::new(folder, written)?, ByteSize(LARGEST as u64))?;
        Ok(Some(SecretText::new(without_line_break(&text))))
    }

    fn names(&self) -> Result<Vec<String>, Failure> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(Failure::system(format!("list `{}`", folder.display()), &error)),
        };
        let files = entries.flatten().filter(|entry| entry.path().is_file());
        let names = files.filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter(|name| check_name(name).is_ok()).collect())
    }

    fn how_to_set(&self, name: &str) -> String {
        format!("put it into the file `{}/{name}`", self.written)
    }
}
