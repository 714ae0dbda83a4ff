use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustic_core::{FileType, Id};

/// How much of what was read is kept.
const MOST: usize = 16 << 20;

/// What was read of a store that is far away, and is not asked for again. A file of a repository is named after its content and never
/// becomes another one.
#[derive(Default)]
pub struct Files(Mutex<State>);

#[derive(Default)]
struct State {
    config: Option<Bytes>,
    is_there: bool,
    keys: Option<Vec<(Id, u32)>>,
    index: HashMap<Id, Bytes>,
    bytes: usize,
}

impl Files {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that there is a repository, and which keys it has at this moment.
    pub fn found(&self, keys: Vec<(Id, u32)>) {
        let mut state = self.state();
        (state.is_there, state.keys) = (true, Some(keys));
    }

    /// A listing that was made already. That of the keys serves once: they come and go.
    pub fn listed(&self, kind: FileType) -> Option<Vec<(Id, u32)>> {
        let mut state = self.state();
        match kind {
            FileType::Config if state.is_there => Some(vec![(Id::default(), 0)]),
            FileType::Key => state.keys.take(),
            _ => None,
        }
    }

    /// A file that was read already.
    pub fn read(&self, kind: FileType, id: &Id) -> Option<Bytes> {
        let state = self.state();
        match kind {
            FileType::Config => state.config.clone(),
            FileType::Index => state.index.get(id).cloned(),
            _ => None,
        }
    }

    /// Keeps a file that was read, as long as there is room.
    pub fn keep(&self, kind: FileType, id: &Id, content: &Bytes) {
        let mut state = self.state();
        match kind {
            FileType::Config => state.config = Some(content.clone()),
            FileType::Index if state.bytes + content.len() <= MOST => {
                state.bytes += content.len();
                state.index.insert(*id, content.clone());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_change_is_asked_for_again_and_there_is_no_room_for_everything() {
        let (files, id) = (Files::default(), Id::default());
        assert!(files.listed(FileType::Config).is_none() && files.listed(FileType::Key).is_none());
        files.found(vec![(id, 7)]);
        assert_eq!(files.listed(FileType::Key), Some(vec![(id, 7)]));
        assert!(files.listed(FileType::Key).is_none() && files.listed(FileType::Config).is_some());
        assert!(files.listed(FileType::Index).is_none() && files.listed(FileType::Snapshot).is_none());
        files.keep(FileType::Snapshot, &id, &Bytes::from_static(b"s"));
        files.keep(FileType::Index, &id, &Bytes::from(vec![0; MOST + 1]));
        assert!(files.read(FileType::Snapshot, &id).is_none() && files.read(FileType::Index, &id).is_none());
        files.keep(FileType::Index, &id, &Bytes::from_static(b"i"));
        assert_eq!(files.read(FileType::Index, &id).as_deref(), Some(&b"i"[..]));
    }
}
