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
    /// How their commands ended is written down, and they are free: one for each host.
    free: Mutex<Vec<Conversation>>,
    /// Commands of sessions that were lost, which may have left something.
    left: Mutex<Vec<(Vec<String>, Target)>>,
}

impl Waiting {
    /// Keeps one, and lets go of the oldest where there are too many: what it was to tidy up is tidied up in another session.
    pub fn put(&self, key: &str, conversation: Conversation) {
        let mut all = locked(&self.ended);
        let mut same = (0..all.len()).filter(|index| all[*index].1.target() == conversation.target());
        if let (Some(oldest), MOST..) = (same.next(), same.count() + 1) {
            self.leave(&all.remove(oldest).1);
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
    pub fn release(&self, conversation: Conversation) -> Option<Conversation> {
        let mut free = locked(&self.free);
        if !conversation.is_series() || free.iter().any(|other| other.target() == conversation.target()) {
            return Some(conversation);
        }
        free.push(conversation);
        None
    }

    /// The session that is free on a host.
    pub fn free(&self, target: &Target) -> Option<Conversation> {
        let mut free = locked(&self.free);
        let index = free.iter().position(|conversation| conversation.target() == target)?;
        Some(free.remove(index))
    }

    /// Notes that a session is lost before its host said that it has removed all that its commands left.
    pub fn leave(&self, conversation: &Conversation) {
        if !conversation.left().is_empty() {
            locked(&self.left).push((conversation.left().to_vec(), conversation.target().clone()));
        }
    }

    /// Those commands.
    pub fn all_left(&self) -> Vec<(Vec<String>, Target)> {
        std::mem::take(&mut *locked(&self.left))
    }

    /// All that are free.
    pub fn all_free(&self) -> Vec<Conversation> {
        std::mem::take(&mut *locked(&self.free))
    }
}

fn locked<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
