//! Sessions of commands that have ended: until somebody has written down how, and then for the next command.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::script::Conversation;
use super::target::Target;

/// How many may wait on one host until it is written down how their commands ended. Each takes one of the few sessions that a
/// server has room for, and whoever is cancelled never comes.
const MOST: usize = 4;

/// The sessions that wait, each with the name of its last command, the oldest first.
#[derive(Default)]
pub(super) struct Waiting {
    ended: Mutex<Vec<(String, Conversation)>>,
    /// What their commands left is being removed, and they are free: one for each host.
    free: Mutex<Vec<(String, Conversation)>>,
    /// Commands of sessions that were lost, which may have left something.
    left: Mutex<Vec<(String, Target)>>,
}

impl Waiting {
    /// Keeps one, and lets go of the oldest where there are too many: what it was to tidy up is tidied up in another session.
    pub fn put(&self, key: &str, conversation: Conversation) {
        let mut all = locked(&self.ended);
        let mut same = (0..all.len()).filter(|index| all[*index].1.target() == conversation.target());
        if let (Some(oldest), MOST..) = (same.next(), same.count() + 1) {
            all.remove(oldest);
        }
        all.push((key.to_owned(), conversation));
    }

    /// Takes the session of that command, where there is one.
    pub fn take(&self, key: &str) -> Option<Conversation> {
        let mut all = locked(&self.ended);
        let index = all.iter().position(|(of, _)| of == key)?;
        Some(all.remove(index).1)
    }

    /// Keeps one for the next command; it comes back where its host has one already, or where none can follow in it.
    pub fn release(&self, key: &str, conversation: Conversation) -> Option<Conversation> {
        let mut free = locked(&self.free);
        if !conversation.is_series() || free.iter().any(|(_, other)| other.target() == conversation.target()) {
            return Some(conversation);
        }
        free.push((key.to_owned(), conversation));
        None
    }

    /// The session that is free on a host, and the name of its last command.
    pub fn free(&self, target: &Target) -> Option<(String, Conversation)> {
        let mut free = locked(&self.free);
        let index = free.iter().position(|(_, conversation)| conversation.target() == target)?;
        Some(free.remove(index))
    }

    /// Notes that a session was lost before its host said that it has removed what its last command left.
    pub fn leave(&self, key: &str, target: &Target) {
        locked(&self.left).push((key.to_owned(), target.clone()));
    }

    /// Those commands.
    pub fn all_left(&self) -> Vec<(String, Target)> {
        std::mem::take(&mut *locked(&self.left))
    }

    /// All that are free.
    pub fn all_free(&self) -> Vec<(String, Conversation)> {
        std::mem::take(&mut *locked(&self.free))
    }
}

fn locked<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
