use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustic_core::{FileType, Id};

use super::plan::{Piece, Plan};
use super::store::Store;
use crate::failure::Failure;

/// How much is read at once of a pack of which several parts were wanted, and of one of which many were.
const SOME: u32 = 1 << 20;
const MUCH: u32 = 4 << 20;
/// So many pieces are kept that nobody said anything about, and so many of those that were expected.
const KEPT: usize = 3;
const EXPECTED: usize = 10;
/// So many requests are under way at most that nobody waits for yet.
const AHEAD: usize = 3;
/// How long it takes until somebody who waits for a piece looks again whether anybody reads it.
const LOOK: Duration = Duration::from_millis(200);

/// Reads more of a pack than is asked for, once several parts of it were: what is restored together lies together, and a server that is
/// far away is not asked for each file. Where it is said what is about to be read, that is asked for before somebody waits for it.
#[derive(Debug, Default)]
pub struct Ahead {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How often each pack was asked for.
    asked: HashMap<Id, u32>,
    pieces: VecDeque<Held>,
    /// What is read at this moment.
    coming: Vec<Piece>,
    /// How many of these nobody waits for.
    early: usize,
    /// How many of those that were expected were needed so far.
    done: usize,
    plan: Plan,
}

#[derive(Debug)]
struct Held {
    piece: Piece,
    bytes: Bytes,
    /// How many of its parts are still to be taken, where that is known.
    left: usize,
}

impl State {
    /// A part that is here.
    fn take(&mut self, id: &Id, offset: u32, length: u32) -> Option<Bytes> {
        let place = self.pieces.iter().position(|held| held.piece.has(id, offset, length))?;
        let held = &mut self.pieces[place];
        let first = (offset - held.piece.first) as usize;
        let part = held.bytes.slice(first..first + length as usize);
        held.left = held.left.saturating_sub(1);
        if held.piece.parts > 0 && held.left == 0 {
            self.done += 1;
        }
        Some(part)
    }

    fn keep(&mut self, piece: Piece, bytes: Bytes, left: usize) {
        let end = piece.first.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.pieces.push_back(Held { piece: Piece { end, ..piece }, bytes, left });
        // What nobody is known to need any more goes first, but not before: the same may be in another file.
        let is_expected = piece.parts > 0;
        let alike = |held: &Held| (held.piece.parts > 0) == is_expected;
        let most = if is_expected { EXPECTED } else { KEPT };
        if self.pieces.iter().filter(|held| alike(held)).count() > most {
            let done = self.pieces.iter().position(|held| alike(held) && held.left == 0);
            let place = done.or_else(|| self.pieces.iter().position(alike));
            place.map(|place| self.pieces.remove(place));
        }
    }

    fn is_near(&self, piece: &Piece) -> bool {
        let is_it = |other: &Piece| other.has(&piece.pack, piece.first, piece.end - piece.first);
        self.coming.iter().any(is_it) || self.pieces.iter().any(|held| is_it(&held.piece))
    }

    /// What is to be read for a part that is not here: it, or more.
    fn choose(&mut self, id: &Id, offset: u32, length: u32) -> (Piece, usize) {
        if let Some(piece) = self.plan.piece(id, offset, length) {
            return (piece, piece.parts);
        }
        let asked = self.asked.entry(*id).or_default();
        *asked += 1;
        let size = match *asked {
            1 => 0,
            2 | 3 => SOME,
            _ => MUCH,
        };
        let first = offset.checked_div(size).map_or(offset, |number| number * size);
        let end = offset.saturating_add(length).max(first.saturating_add(size));
        (Piece { pack: *id, first, end, parts: 0 }, if size > 0 { usize::MAX } else { 1 })
    }
}

impl Ahead {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what is about to be read; nothing takes back what was said.
    pub fn expect(&self, plan: Plan) {
        let mut state = self.state();
        (state.plan, state.done) = (plan, 0);
        state.pieces.clear();
    }

    /// A part of a pack.
    pub fn read(self: &Arc<Self>, store: &Arc<dyn Store>, id: &Id, offset: u32, length: u32) -> Result<Bytes, Failure> {
        let mut state = self.state();
        let (piece, left) = loop {
            if let Some(part) = state.take(id, offset, length) {
                self.go_on(state, store);
                return Ok(part);
            }
            // Whoever reads it already is waited for: nothing travels twice.
            if !state.coming.iter().any(|piece| piece.has(id, offset, length)) {
                break state.choose(id, offset, length);
            }
            state = self.came.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.coming.push(piece);
        self.go_on(state, store);
        let least = offset.saturating_add(length) - piece.first;
        let read = store.read_on(FileType::Pack, id, piece.first, least, piece.end - piece.first);
        let mut state = self.state();
        state.coming.retain(|coming| *coming != piece);
        self.came.notify_all();
        state.keep(piece, read?, left);
        // It has at least what was asked for.
        Ok(state.take(id, offset, length).unwrap_or_default())
    }

    /// Has what is needed next read by somebody else meanwhile.
    fn go_on(self: &Arc<Self>, mut state: MutexGuard<'_, State>, store: &Arc<dyn Store>) {
        let is_needed = |held: &&Held| held.piece.parts > 0 && held.left > 0;
        // On a slow line, the first has it for itself.
        let most = AHEAD.min(state.done);
        while state.early < most && state.pieces.iter().filter(is_needed).count() + state.early < EXPECTED - 2 {
            let Some(piece) = state.plan.next() else { return };
            if state.is_near(&piece) {
                continue;
            }
            state.coming.push(piece);
            state.early += 1;
            let (ahead, store) = (Arc::clone(self), Arc::clone(store));
            std::thread::spawn(move || {
                let length = piece.end - piece.first;
                let read = store.read_on(FileType::Pack, &piece.pack, piece.first, length, length);
                let mut state = ahead.state();
                state.coming.retain(|coming| *coming != piece);
                state.early -= 1;
                // Whoever needs it asks again, and is told what is wrong.
                if let Ok(bytes) = read {
                    state.keep(piece, bytes, piece.parts);
                }
                drop(state);
                ahead.came.notify_all();
            });
        }
    }
}
