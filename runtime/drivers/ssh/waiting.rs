//! Sessions of commands that have ended, until somebody has written down how.

use std::sync::{Mutex, PoisonError};

use super::script::Conversation;

/// How many may wait on one host. Each takes one of the few sessions that a server has room for, and whoever is cancelled never comes.
const MOST: usize = 4;

/// The sessions that wait, the oldest first.
#[derive(Default)]
pub(super) struct Waiting(Mutex<Vec<(String, Conversation)>>);

impl Waiting {
    /// Keeps one, and lets go of the oldest where there are too many: what it was to tidy up is tidied up in another session.
    pub fn put(&self, key: &str, conversation: Conversation) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut same = (0..all.len()).filter(|index| all[*index].1.target() == conversation.target());
        if let (Some(oldest), MOST..) = (same.next(), same.count() + 1) {
            all.remove(oldest);
        }
        all.push((key.to_owned(), conversation));
    }

    /// Takes the session of that command, where there is one.
    pub fn take(&self, key: &str) -> Option<Conversation> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = all.iter().position(|(of, _)| of == key)?;
        Some(all.remove(index).1)
    }
}
