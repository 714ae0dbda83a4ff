//! A copy of the state folder while runs go on.
//!
//! Nobody writes to a copy, so that it can carry what a living file cannot: the hash of all bytes of each of its files. A
//! bit that flips in one, years later, is noticed wherever it is.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::chain::hex;
use super::lines::month_of_file;
use super::{FILE, Journal, StateVerdict, create, fault, schema};
use crate::failure::{Failure, FailureKind};
use crate::secrets::Key;

/// A file of this name says that a state folder is a copy.
const MARK: &str = "COPY";

/// What `copy_to` made.
#[derive(Debug)]
pub struct Copied {
    /// Names and sizes of the files.
    pub files: Vec<(String, u64)>,
    /// What is in the copied run log, compared with what was recorded.
    pub verdict: StateVerdict,
}

impl Journal {
    /// Copies the run log and all log lines, each as it is at one moment, into `folder`, which is made or must be empty; then
    /// verifies the copy. Runs go on meanwhile.
    ///
    /// What was copied before something went wrong is removed again.
    pub fn copy_to(&self, folder: &Path) -> Result<Copied, Failure> {
        let is_new = !folder.exists();
        if !is_new && std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let message = format!("`{}` is not empty", folder.display());
            return Err(Failure::new(FailureKind::Conflict, message).hint("name a folder that does not exist yet"));
        }
        create(folder)?;
        let made = self.fill(folder);
        if made.is_err() {
            let _ = if is_new { std::fs::remove_dir_all(folder) } else { empty(folder) };
        }
        made
    }

    /// Is this run log a copy of another one, which may go on?
    pub fn is_copy(&self) -> bool {
        self.state_folder().join(MARK).exists()
    }

    /// Refuses what would change a copy.
    pub(super) fn refuse_copy(&self) -> Result<(), Failure> {
        if !self.is_copy() {
            return Ok(());
        }
        let shown = self.state_folder().display();
        let message = format!("`{shown}` is a copy of a run log: what the original does may not be done twice");
        Err(Failure::new(FailureKind::Refused, message)
            .hint("go on with the run where the original is")
            .hint(format!("to put the copy in its place, remove the file `{MARK}` in it")))
    }

    /// Of a copy: the files that are not what was copied. Nothing is known of one that a newer program has migrated.
    pub(super) fn altered_files(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.state_folder().join(MARK)).unwrap_or_default();
        let noted = text.lines().filter_map(|line| line.rsplit_once(" sha256:")).filter_map(|(file, sum)| {
            let (name, format) = file.rsplit_once(" format ")?;
            Some((name.to_owned(), format.to_owned(), sum.to_owned()))
        });
        let mut altered = Vec::new();
        for (name, format, sum) in noted {
            // The file is closed again, which drops the SQLite locks that this process has on it. Nobody writes to a copy.
            let found = Sum::of(&self.state_folder().join(&name));
            if !found.is_ok_and(|found| found.hash == sum || found.format.to_string() != format) {
                altered.push(format!("`{name}` is not what was copied"));
            }
        }
        altered
    }

    fn fill(&self, folder: &Path) -> Result<Copied, Failure> {
        let system = |what: &str, path: &Path, error: &std::io::Error| {
            Failure::system(format!("{what} `{}`", path.display()), error)
        };
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))
            .map_err(|error| system("protect", folder, &error))?;
        let original = self.state_folder();
        let mark = format!(
            "This folder is a copy of {} as it was at {}.\nIts runs are not gone on with: the original may do that. To put it in \
             the original's place, remove this file.\n",
            original.display(),
            Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC")
        );
        std::fs::write(folder.join(MARK), &mark).map_err(|error| system("write", &folder.join(MARK), &error))?;
        // The run log first: of every run that has ended in it, all lines are there already.
        let mut names = vec![FILE.to_owned()];
        let months = self.log_files()?.into_iter();
        names.extend(months.filter_map(|(_, file)| Some(file.file_name()?.to_str()?.to_owned())));
        // Without the key nobody can open what was sealed with it: how containers of releases were made.
        names.extend(original.join(Key::FILE).exists().then(|| Key::FILE.to_owned()));
        let mut files = Vec::new();
        for name in names {
            let to = folder.join(&name);
            let is_copied = match copy(&original.join(&name), &to) {
                // Months may be dropped at any time.
                Err(_) if month_of_file(&name).is_some() && !original.join(&name).exists() => false,
                copied => copied?,
            };
            if !is_copied {
                continue;
            }
            let data = File::open(&to).and_then(|file| {
                file.set_permissions(Permissions::from_mode(0o600))?;
                file.sync_all()?;
                file.metadata()
            });
            files.push((name, data.map_err(|error| system("write", &to, &error))?.len()));
        }
        let sums: io::Result<Vec<String>> =
            files.iter().map(|(name, _)| Ok(format!("{name} {}\n", Sum::of(&folder.join(name))?))).collect();
        let sums = sums.map_err(|error| system("read", folder, &error))?.concat();
        std::fs::write(folder.join(MARK), format!("{mark}\n{sums}"))
            .map_err(|error| system("write", &folder.join(MARK), &error))?;
        let verdict = Self::open(folder)?.verify_all()?;
        Ok(Copied { files, verdict })
    }
}

/// What all bytes of a database come to.
struct Sum {
    /// The format's number, which SQLite keeps in its header (<https://www.sqlite.org/fileformat.html>, 1.3.12).
    format: u32,
    hash: String,
}

impl Sum {
    fn of(file: &Path) -> io::Result<Self> {
        let (mut file, mut hash, mut format) = (File::open(file)?, Sha256::new(), None);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(Self { format: format.unwrap_or_default(), hash: hex(&hash.finalize()) });
            }
            let number = buffer.get(60..64).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
            format = format.or(number);
            hash.update(&buffer[..count]);
        }
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "format {} sha256:{}", self.format, self.hash)
    }
}

/// Copies one file, a database as it is at one moment; false when there is nothing in it yet.
fn copy(from: &Path, to: &Path) -> Result<bool, Failure> {
    if from.ends_with(Key::FILE) {
        let copied = std::fs::copy(from, to).map(|_| true);
        return copied.map_err(|error| Failure::system(format!("copy `{}`", from.display()), &error));
    }
    let connection = schema::open_any(from)?;
    if !schema::is_made(&connection).map_err(|error| fault::explain(from, "read it", &error))? {
        return Ok(false);
    }
    let text = to.to_string_lossy();
    connection.execute("VACUUM INTO ?1", [&text]).map_err(|error| fault::explain(to, "write the copy", &error))?;
    // The copy has everything of the original but its way of writing.
    Connection::open(to)
        .and_then(|copy| copy.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(true)))
        .map_err(|error| fault::explain(to, "write the copy", &error))
}

fn empty(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    Ok(())
}
