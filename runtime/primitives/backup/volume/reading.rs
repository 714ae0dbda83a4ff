use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::gitignore::Gitignore;
use tokio::sync::mpsc;

use super::super::feeding::{Taps, tap};
use super::spool::Spool;
use crate::drivers::backup::{Count, Entry, EntryKind, Packer, Tarred, TarredKind, count_tar, each_in_tar, unfit};
use crate::drivers::docker::{Engine, SHELF};
use crate::primitive::{Failure, FailureKind};

/// The name of the folder in which the volume is, in every archive of it.
const FOLDERS: usize = 1;

/// A file that has several names, which the archive has only under the first of them.
struct Again {
    first: PathBuf,
    answer: std::sync::mpsc::Sender<Result<Vec<u8>, Failure>>,
}

/// Reads what is in a volume, entry by entry.
pub async fn read(
    engine: &Arc<Engine>,
    shelf: &str,
    packer: &Packer,
    excludes: Gitignore,
    folder: PathBuf,
) -> Result<(), Failure> {
    let Taps { pour, tapped } = tap();
    let (asking, mut asked) = mpsc::channel::<Again>(1);
    let (packer, done) = (packer.clone(), Arc::new(Mutex::new(None)));
    let noted = Arc::clone(&done);
    let reading = std::thread::spawn(move || {
        let result = pack(tapped, &packer, &excludes, Spool::new(folder), &asking);
        noted.lock().unwrap_or_else(PoisonError::into_inner).replace(result);
    });
    // Beside it: while an answer is waited for, nothing of the archive is taken.
    let (other, same) = (Arc::clone(engine), shelf.to_owned());
    tokio::spawn(async move {
        while let Some(again) = asked.recv().await {
            answer(&other, &same, again).await;
        }
    });
    let taken = engine.take_out(shelf, SHELF, &mut |bytes| pour.pour(&bytes)).await;
    drop(pour);
    let _ = tokio::task::spawn_blocking(move || reading.join()).await;
    let read = done.lock().unwrap_or_else(PoisonError::into_inner).take();
    taken?;
    read.unwrap_or_else(|| Err(Failure::new(FailureKind::System, "the archive of the volume was not read to its end")))
}

async fn answer(engine: &Engine, shelf: &str, Again { first, answer }: Again) {
    let mut archive = Vec::new();
    let path = Path::new(SHELF).join(&first).to_string_lossy().into_owned();
    let taken = engine
        .take_out(shelf, &path, &mut |bytes| {
            archive.extend_from_slice(&bytes);
            true
        })
        .await;
    let content = taken.and_then(|()| {
        let mut content = Vec::new();
        each_in_tar(archive.as_slice(), 0, &mut |_, from| {
            from.read_to_end(&mut content).map(drop).map_err(|error| Failure::system("read the archive", &error))
        })
        .map(|()| content)
    });
    let _ = answer.send(content);
}

fn pack(
    input: impl Read,
    packer: &Packer,
    excludes: &Gitignore,
    mut spool: Spool,
    asking: &mpsc::Sender<Again>,
) -> Result<(), Failure> {
    each_in_tar(input, FOLDERS, &mut |Tarred { path, kind, stat, bytes, .. }, content| {
        let is_folder = kind == TarredKind::Folder;
        let is_root = path.as_os_str().is_empty();
        if !is_root && excludes.matched_path_or_any_parents(&path, is_folder).is_ignore() {
            return Ok(());
        }
        let kind = match kind {
            TarredKind::Folder => EntryKind::Folder,
            TarredKind::Link(target) => EntryKind::Link(target),
            TarredKind::File => EntryKind::File(bytes, spool.keep(bytes, content)?),
            TarredKind::Hard(first) => {
                let (answer, answered) = std::sync::mpsc::channel();
                let gone = || Failure::new(FailureKind::Cancelled, "stopped because nobody reads it any more");
                asking.blocking_send(Again { first, answer }).map_err(|_| gone())?;
                let content = answered.recv().map_err(|_| gone())??;
                let bytes = content.len() as u64;
                EntryKind::File(bytes, spool.keep(bytes, &mut content.as_slice())?)
            }
            TarredKind::Other => return Err(unfit(&path)),
        };
        if packer.put(Entry { path, stat, kind }) {
            return Ok(());
        }
        Err(Failure::new(FailureKind::Cancelled, "stopped because nobody reads it any more"))
    })
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
