//! What a file held before a run changed it, kept in the state folder, where no commit and no image finds it.

use std::fs::{DirBuilder, Metadata};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::drivers::disk::{self, Place, Replacement};
use crate::primitive::{ByteSize, Context, Failure, FileMode};

/// How many runs' previous files are kept of one file.
const KEPT: usize = 5;

/// The largest file that is kept.
const LARGEST: ByteSize = ByteSize(16 << 20);

/// Where this run keeps what the file at `path` held before: `.runbook/previous/.env-…/run-12-…`.
pub(super) fn place(context: &Context<'_>, path: &str) -> Result<Place, Failure> {
    let root = context.project.root();
    let file = Place::new(root, path)?.name();
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name: String = name.chars().take(50).collect();
    let folder = format!("{name}-{}", disk::short_name(&file.to_string_lossy()));
    let run: String = context.run.uid.chars().take(8).collect();
    let kept =
        context.project.state_folder().join("previous").join(folder).join(format!("run-{}-{run}", context.run.id));
    let shown = kept.strip_prefix(root).unwrap_or(&kept);
    Place::new(root, &shown.to_string_lossy())
}

/// Keeps what the file holds, unless this run has changed it before: then it is already kept what was there before the run.
pub(super) fn keep(context: &Context<'_>, path: &str, kept: &Place) -> Result<(), Failure> {
    if disk::exists(kept)?.is_some() {
        return Ok(());
    }
    let file = context.writable(path)?;
    let (text, mode) = (disk::text(&file, LARGEST)?, disk::exists(&file)?.as_ref().map(FileMode::of));
    let folder = kept.path().parent().unwrap_or(Path::new("/"));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::system(format!("make `{}`", folder.display()), &error))?;
    let replacement = Replacement::begin(kept, mode, &context.key())?;
    disk::write(replacement, text.as_bytes(), &mut |_| Ok(()))?;
    forget_oldest(folder);
    Ok(())
}

/// Removes all but the newest. One that cannot be removed is tried again the next time.
fn forget_oldest(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut kept: Vec<(Option<SystemTime>, PathBuf)> = entries
        .map(|entry| (entry.metadata().ok().as_ref().and_then(|found: &Metadata| found.modified().ok()), entry.path()))
        .collect();
    kept.sort();
    for (_, path) in kept.iter().rev().skip(KEPT) {
        let _ = std::fs::remove_file(path);
    }
}
