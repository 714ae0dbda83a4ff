//! How long log lines stay: whole months are dropped by removing their file, which takes no time however large it is, and
//! leaves those who read it at that moment to finish.

mod leftovers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rusqlite::params;

use super::lines::{month_of, month_of_file};
use super::schema::{self, beside};
use super::{Journal, fault};
use crate::failure::Failure;

/// A run that was interrupted so long ago is not gone on with for its output's sake.
pub(super) const INTERRUPTED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The log lines of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMonth {
    /// As in `2026-11`.
    pub month: String,
    /// What it takes on the disk.
    pub bytes: u64,
}

/// What `prune_logs` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Months that are gone.
    pub dropped: Vec<LogMonth>,
    /// Months that should be gone, and the run that still needs each.
    pub needed: Vec<(LogMonth, i64)>,
}

impl Journal {
    /// The months of which there are log lines, oldest first.
    pub fn log_months(&self) -> Result<Vec<LogMonth>, Failure> {
        let months = self.log_files()?.into_iter();
        Ok(months
            .map(|(month, file)| LogMonth { bytes: parts(&file).iter().map(|part| size(part)).sum(), month })
            .collect())
    }

    /// Drops the months that ended longer than `keep` ago, and then the oldest ones until the rest takes no more than
    /// `max_size` bytes. The present month stays, and so does every month with lines of a run that has not ended.
    pub fn prune_logs(&self, keep: Duration, max_size: u64) -> Result<Pruned, Failure> {
        let now = Timestamp::now();
        let present = month_of(now);
        let oldest = now.checked_sub(keep).unwrap_or(Timestamp::MIN);
        let months = self.log_months()?;
        let mut total: u64 = months.iter().map(|month| month.bytes).sum();
        let mut pruned = Pruned::default();
        for month in months {
            let is_old = end_of(&month.month).is_some_and(|end| end <= oldest);
            if month.month >= present || !(is_old || total > max_size) {
                continue;
            }
            let file = self.log_file(&month.month);
            if let Some(run) = self.unended_run_in(&file, &month.month)? {
                pruned.needed.push((month, run));
                continue;
            }
            remove(&file)?;
            total -= month.bytes;
            pruned.dropped.push(month);
        }
        Ok(pruned)
    }

    /// A run that has not ended and has lines in that file.
    fn unended_run_in(&self, file: &Path, month: &str) -> Result<Option<i64>, Failure> {
        let (Some(end), recently) = (end_of(month), Timestamp::now().checked_sub(INTERRUPTED)) else { return Ok(None) };
        let runs: Vec<i64> = self.read("read the runs", |connection| {
            connection
                .prepare_cached(
                    "SELECT id FROM run WHERE started_at < ?1 AND
                        (state IN ('running', 'waiting', 'in_doubt') OR (state = 'killed' AND finished_at > ?2))",
                )?
                .query_map(params![end.as_microsecond(), recently.map_or(0, Timestamp::as_microsecond)], |row| {
                    row.get(0)
                })?
                .collect()
        })?;
        if runs.is_empty() {
            return Ok(None);
        }
        let Some(lines) = schema::LOGS.open_filled(file)? else { return Ok(None) };
        let has_lines = |run: &i64| {
            lines.query_row("SELECT EXISTS (SELECT 1 FROM line WHERE run = ?1)", [run], |row| row.get::<_, bool>(0))
        };
        let explain = |error| fault::explain(file, "read the log lines", &error);
        if schema::is_made(&lines).map_err(explain)? {
            for run in runs {
                if has_lines(&run).map_err(explain)? {
                    return Ok(Some(run));
                }
            }
        }
        Ok(None)
    }

    /// The files of log lines by month, oldest first.
    pub(super) fn log_files(&self) -> Result<Vec<(String, PathBuf)>, Failure> {
        let folder = self.state_folder();
        let entries = std::fs::read_dir(folder)
            .map_err(|error| Failure::system(format!("read `{}`", folder.display()), &error))?;
        let mut files: Vec<(String, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| Some((month_of_file(entry.file_name().to_str()?)?.to_owned(), entry.path())))
            .collect();
        files.sort();
        Ok(files)
    }

    fn log_file(&self, month: &str) -> PathBuf {
        self.state_folder().join(super::lines::file_name(month))
    }
}

/// The first moment after a month.
fn end_of(month: &str) -> Option<Timestamp> {
    let first: Date = format!("{month}-01").parse().ok()?;
    let next = first.checked_add(1.month()).ok()?;
    Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The file itself first: whoever comes now finds no month, rather than one without its newest lines.
fn parts(file: &Path) -> [PathBuf; 3] {
    [file.to_path_buf(), beside(file, "-wal"), beside(file, "-shm")]
}

fn remove(file: &Path) -> Result<(), Failure> {
    for part in parts(file) {
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::system(format!("remove `{}`", part.display()), &error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |data| data.len())
}
