//! A file in memory for an editor, wiped when it is done with.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use crate::drivers::Drivers;
use crate::failure::{Failure, FailureKind};
use crate::secrets::SecretText;

/// `f_type` of a file system in memory (`TMPFS_MAGIC` and `RAMFS_MAGIC` of linux/magic.h).
const IN_MEMORY: [i128; 2] = [0x0102_1994, 0x8584_58f6];

/// A folder of one's own in memory, with one file.
pub(super) struct Desk {
    folder: PathBuf,
    file: PathBuf,
}

impl Desk {
    /// Writes the text where only its owner may read it and no disk ever holds it.
    pub(super) fn lay(text: &SecretText) -> Result<Self, Failure> {
        let folder = memory()?.join(format!("runbook-{}", std::process::id()));
        let failed = |error: std::io::Error| Failure::system(format!("write into `{}`", folder.display()), &error);
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let desk = Self { file: folder.join("secrets.toml"), folder: folder.clone() };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&desk.file).map_err(failed)?;
        file.write_all(text.expose().as_bytes()).map_err(failed)?;
        Ok(desk)
    }

    /// Has it edited, and returns what was made of it.
    pub(super) fn edited(self) -> Result<SecretText, Failure> {
        let editor =
            ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|set| !set.is_empty()));
        let editor = editor.unwrap_or_else(|| "vi".to_owned());
        let mut words = editor.split_whitespace();
        let mut command = tokio::process::Command::new(words.next().unwrap_or("vi"));
        command.args(words).arg(&self.file);
        let failed = |error: std::io::Error| {
            Failure::system(format!("start the editor `{editor}`"), &error).hint("`EDITOR` names another one")
        };
        // Whoever ends this process while the editor runs must not leave the file behind: the signals are noted, and the
        // end of the editor is waited for, which gets them as well.
        let status = Drivers::default().block_on(async {
            let ends = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let heard = ends.map(signal);
            let status = command.status().await;
            drop(heard);
            status
        });
        if !status.map_err(failed)?.success() {
            return Err(Failure::new(
                FailureKind::Cancelled,
                format!("the editor `{editor}` failed: nothing was changed"),
            ));
        }
        let text =
            std::fs::read_to_string(&self.file).map_err(|error| Failure::system("read what was edited", &error))?;
        Ok(SecretText::new(text))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // An editor may have left copies beside it.
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let _ = wipe(&entry.path());
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn wipe(path: &Path) -> std::io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    file.rewind()?;
    file.write_all(&vec![0; length])
}

/// A folder whose files are in memory.
fn memory() -> Result<PathBuf, Failure> {
    let of_session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let candidates = std::iter::once(PathBuf::from("/dev/shm")).chain(of_session);
    let is_in_memory =
        |folder: &PathBuf| rustix::fs::statfs(folder).is_ok_and(|facts| IN_MEMORY.contains(&i128::from(facts.f_type)));
    candidates.into_iter().find(is_in_memory).ok_or_else(|| {
        Failure::new(FailureKind::NotFound, "there is no folder in memory here to edit secrets in")
            .hint("neither /dev/shm nor $XDG_RUNTIME_DIR is one; `runbook secret set` needs none")
    })
}
