use std::io::ErrorKind;
use std::path::Path;

use super::{SecretText, Source};
use crate::compose::{self, dotenv};
use crate::failure::Failure;

/// A `.env` file, read by the rules of Compose: the same file means the same here and there.
pub(super) struct Dotenv {
    file: String,
    /// The last value of a name counts; `None` when there is no such file.
    values: Option<Vec<(String, SecretText)>>,
}

impl Dotenv {
    /// Reads the file; one that is not there holds nothing.
    pub(super) fn open(root: &Path, file: &str) -> Result<Self, Failure> {
        let path = root.join(file);
        let values = match std::fs::read_to_string(&path) {
            Ok(text) => Some(read(&text, file)?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::system(format!("read `{}`", path.display()), &error)),
        };
        Ok(Self { file: file.to_owned(), values })
    }
}

fn read(text: &str, file: &str) -> Result<Vec<(String, SecretText)>, Failure> {
    let assignments = dotenv::parse(text, file).map_err(|problem| compose::failure(&[problem]))?;
    Ok(assignments.into_iter().map(|found| (found.name, SecretText::new(found.value))).collect())
}

impl Source for Dotenv {
    fn label(&self) -> String {
        match self.values {
            Some(_) => format!("`{}`", self.file),
            None => format!("`{}`, which is not there", self.file),
        }
    }

    fn get(&self, name: &str) -> Result<Option<SecretText>, Failure> {
        let mut newest_first = self.values.iter().flatten().rev();
        Ok(newest_first.find(|(found, _)| found == name).map(|(_, text)| text.clone()))
    }

    fn names(&self) -> Result<Vec<String>, Failure> {
        Ok(self.values.iter().flatten().map(|(name, _)| name.clone()).collect())
    }

    fn how_to_set(&self, name: &str) -> String {
        format!("add `{name}=…` to `{}`", self.file)
    }
}
