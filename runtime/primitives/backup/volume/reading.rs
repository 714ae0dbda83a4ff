use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::gitignore::Gitignore;

use super::super::feeding::{Taps, tap};
use super::super::packing::Packing;
use crate::drivers::backup::{Count, Packer, TarredKind, count_tar, each_in_tar};
use crate::drivers::docker::{Engine, SHELF};
use crate::primitive::{Failure, FailureKind};

/// The name of the folder in which the volume is, in every archive of it.
const FOLDERS: usize = 1;

/// Reads what is in a volume, entry by entry.
pub async fn read(
    engine: &Arc<Engine>,
    shelf: &str,
    packer: &Packer,
    excludes: Gitignore,
    folder: PathBuf,
) -> Result<(), Failure> {
    let Taps { pour, tapped } = tap();
    let (mut packing, mut asked) = Packing::new(packer, folder);
    let done = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&done);
    let reading = std::thread::spawn(move || {
        let result = each_in_tar(tapped, FOLDERS, &mut |entry, content| {
            let (is_root, is_folder) = (entry.path.as_os_str().is_empty(), entry.kind == TarredKind::Folder);
            if !is_root && excludes.matched_path_or_any_parents(&entry.path, is_folder).is_ignore() {
                return Ok(());
            }
            packing.put(entry, content)
        });
        drop(packing);
        noted.lock().unwrap_or_else(PoisonError::into_inner).replace(result);
    });
    // Beside it: while an answer is waited for, nothing of the archive is taken.
    let (other, same) = (Arc::clone(engine), shelf.to_owned());
    tokio::spawn(async move {
        while let Some(again) = asked.recv().await {
            let content = content(&other, &same, &again.first).await;
            again.answer(content);
        }
    });
    let taken = engine.take_out(shelf, SHELF, &mut |bytes| pour.pour(&bytes)).await;
    drop(pour);
    let _ = tokio::task::spawn_blocking(move || reading.join()).await;
    let read = done.lock().unwrap_or_else(PoisonError::into_inner).take();
    taken?;
    read.unwrap_or_else(|| Err(Failure::new(FailureKind::System, "the archive of the volume was not read to its end")))
}

/// What is in a file of the volume.
async fn content(engine: &Engine, shelf: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    let mut archive = Vec::new();
    let path = Path::new(SHELF).join(file).to_string_lossy().into_owned();
    let mut on_bytes = |bytes: bytes::Bytes| {
        archive.extend_from_slice(&bytes);
        true
    };
    engine.take_out(shelf, &path, &mut on_bytes).await?;
    let mut content = Vec::new();
    each_in_tar(archive.as_slice(), 0, &mut |_, from| {
        from.read_to_end(&mut content).map(drop).map_err(|error| Failure::system("read the archive", &error))
    })
    .map(|()| content)
}

/// Tells somebody of everything in a volume.
pub async fn count<T: Count + Default + Send + 'static>(engine: &Engine, shelf: &str) -> Result<T, Failure> {
    let Taps { pour, tapped } = tap();
    let counting = std::thread::spawn(move || {
        let mut to = T::default();
        count_tar(tapped, FOLDERS, &mut to).map(|()| to)
    });
    let taken = engine.take_out(shelf, SHELF, &mut |bytes| pour.pour(&bytes)).await;
    drop(pour);
    let counted = tokio::task::spawn_blocking(move || counting.join()).await;
    taken?;
    let lost = || Failure::new(FailureKind::System, "the archive of the volume was not read to its end");
    counted.map_err(|_| lost())?.map_err(|_| lost())?
}
