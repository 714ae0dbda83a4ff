use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rustic_core::{FileType, Id};

use super::store::Store;
use crate::failure::Failure;

/// How much is read at once of a pack of which several parts were wanted, and of one of which many were.
const SOME: u32 = 1 << 20;
const MUCH: u32 = 4 << 20;
/// So many pieces are kept.
const KEPT: usize = 3;

/// Reads more of a pack than is asked for, once several parts of it were: what is restored together lies together, and a server that is
/// far away is not asked for each file.
#[derive(Debug, Default)]
pub struct Ahead(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How often each pack was asked for.
    asked: HashMap<Id, u32>,
    pieces: VecDeque<Piece>,
}

#[derive(Debug)]
struct Piece {
    id: Id,
    offset: u32,
    bytes: Bytes,
}

impl Piece {
    /// The part of it that begins there, if it has all of it.
    fn part(&self, id: &Id, offset: u32, length: u32) -> Option<Bytes> {
        let first = offset.checked_sub(self.offset).filter(|_| self.id == *id)? as usize;
        let end = first.checked_add(length as usize).filter(|end| *end <= self.bytes.len())?;
        Some(self.bytes.slice(first..end))
    }
}

impl Ahead {
    /// A part of a pack.
    pub fn read(&self, store: &dyn Store, id: &Id, offset: u32, length: u32) -> Result<Bytes, Failure> {
        let size = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(part) = state.pieces.iter().find_map(|piece| piece.part(id, offset, length)) {
                return Ok(part);
            }
            let asked = state.asked.entry(*id).or_default();
            *asked += 1;
            match *asked {
                1 => 0,
                2 | 3 => SOME,
                _ => MUCH,
            }
        };
        let first = offset.checked_div(size).map_or(offset, |number| number * size);
        let least = (offset - first).saturating_add(length);
        let bytes = store.read_on(FileType::Pack, id, first, least, size.max(least))?;
        let piece = Piece { id: *id, offset: first, bytes };
        // It has at least what was asked for.
        let part = piece.part(id, offset, length).unwrap_or_default();
        if size > 0 {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.pieces.push_back(piece);
            if state.pieces.len() > KEPT {
                state.pieces.pop_front();
            }
        }
        Ok(part)
    }
}
