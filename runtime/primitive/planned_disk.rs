//! Files and folders of this machine as the changes planned so far will have left them.
//!
//! A plan makes no change, so the disk does not show what a call will find that comes after others: what those foresaw is
//! noted here, and found again by path.

use std::path::{Path, PathBuf};

use super::Touches;
use crate::units::FileMode;

/// In what state a planned change leaves a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// A file.
    File {
        /// Its whole text; `None` when it is not known.
        text: Option<String>,
        /// Its permissions; `None` when they are the usual ones of a new file, or not known.
        mode: Option<FileMode>,
    },
    /// A folder.
    Folder {
        /// Its permissions; `None` as for a file.
        mode: Option<FileMode>,
        /// Was there none before? Then it holds nothing but what is noted.
        is_new: bool,
    },
    /// A folder full of files that nobody has listed.
    Tree,
    /// Nothing is there.
    Gone,
    /// Something may be there.
    Unknown,
}

impl Left {
    /// The permissions, as far as they are known.
    pub fn mode(&self) -> Option<FileMode> {
        match self {
            Self::File { mode, .. } | Self::Folder { mode, .. } => *mode,
            Self::Tree | Self::Gone | Self::Unknown => None,
        }
    }
}

/// What planned changes leave, in the order of the plan.
#[derive(Debug, Default)]
pub struct PlannedDisk {
    notes: Vec<Note>,
    /// What changes touch of which nobody knows what they do to files.
    doubts: Vec<Touches>,
}

#[derive(Debug)]
struct Note {
    path: PathBuf,
    left: Left,
    is_certain: bool,
}

impl PlannedDisk {
    /// Notes how a planned change leaves a path.
    pub fn note(&mut self, path: &Path, left: Left) {
        self.notes.push(Note { path: path.to_owned(), left, is_certain: true });
    }

    /// How many notes there are.
    pub fn len(&self) -> usize {
        self.notes.len()
    }

    /// Is nothing noted?
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// Another change, of which nobody knows what it does to files, touches this: what is noted there may not stay.
    pub fn doubt(&mut self, touches: &Touches) {
        for note in &mut self.notes {
            note.is_certain &= !Touches::disk(&note.path).overlaps(touches);
        }
        self.doubts.push(touches.clone());
    }

    /// May such a change have altered this path?
    pub fn is_doubtful(&self, path: &Path) -> bool {
        let path = Touches::disk(path);
        self.doubts.iter().any(|touches| touches.overlaps(&path))
    }

    /// How planned changes leave this path, and whether that is certain; `None` when none of them is about it.
    pub fn look(&self, path: &Path) -> Option<(Left, bool)> {
        // A folder above something that was noted later is there, or comes with it.
        let mut implied = None;
        for note in self.notes.iter().rev() {
            let left = if note.path == path {
                note.left.clone()
            } else if path.starts_with(&note.path) {
                match note.left {
                    Left::Gone | Left::File { .. } | Left::Folder { is_new: true, .. } => Left::Gone,
                    Left::Tree | Left::Unknown => Left::Unknown,
                    Left::Folder { .. } => continue,
                }
            } else {
                if note.path.starts_with(path) && !matches!(note.left, Left::Gone | Left::Unknown) {
                    implied = Some((Left::Folder { mode: None, is_new: false }, note.is_certain));
                }
                continue;
            };
            return match (&left, implied) {
                (Left::Folder { .. } | Left::Tree, _) | (_, None) => Some((left, note.is_certain)),
                (_, implied) => implied,
            };
        }
        implied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Left {
        Left::File { text: Some(text.to_owned()), mode: None }
    }

    #[test]
    fn the_last_note_about_a_path_or_what_holds_it_counts() {
        let mut disk = PlannedDisk::default();
        let look = |disk: &PlannedDisk, path: &str| disk.look(Path::new(path)).map(|(left, _)| left);
        assert_eq!(look(&disk, "/p/a"), None);
        disk.note(Path::new("/p/a"), file("1"));
        disk.note(Path::new("/p/a"), file("2"));
        assert_eq!(look(&disk, "/p/a"), Some(file("2")));
        assert_eq!(look(&disk, "/p"), Some(Left::Folder { mode: None, is_new: false }));
        assert_eq!(look(&disk, "/p/a2"), None);
        disk.note(Path::new("/p"), Left::Gone);
        assert_eq!(look(&disk, "/p/a"), Some(Left::Gone));
        disk.note(Path::new("/p"), Left::Folder { mode: None, is_new: true });
        disk.note(Path::new("/p/b"), file("3"));
        assert_eq!((look(&disk, "/p/a"), look(&disk, "/p/b")), (Some(Left::Gone), Some(file("3"))));
        disk.note(Path::new("/t"), Left::Tree);
        assert_eq!(look(&disk, "/t/x"), Some(Left::Unknown));
        disk.note(Path::new("/p/b/c/d"), file("4"));
        assert_eq!(look(&disk, "/p"), Some(Left::Folder { mode: None, is_new: true }));
        assert_eq!(look(&disk, "/p/b/c"), Some(Left::Folder { mode: None, is_new: false }));
    }

    #[test]
    fn a_change_that_may_do_anything_leaves_a_doubt() {
        let mut disk = PlannedDisk::default();
        disk.note(Path::new("/p/a"), file("1"));
        disk.doubt(&Touches::disk(Path::new("/q")));
        assert!(disk.is_doubtful(Path::new("/q/x")) && !disk.is_doubtful(Path::new("/p/a")));
        assert_eq!(disk.look(Path::new("/p/a")), Some((file("1"), true)));
        disk.doubt(&Touches::Anything);
        assert_eq!(disk.look(Path::new("/p/a")), Some((file("1"), false)));
    }
}
