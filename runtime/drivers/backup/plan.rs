//! What of which packs is about to be read, put together to pieces in the order in which they are needed.

use std::collections::HashMap;

use rustic_core::Id;

/// How much is read at once of a pack: little at first, so that something comes soon however slow the line is, and twice as much each time
/// up to the most.
const FIRST: u32 = 256 << 10;
const MOST: u32 = 2 << 20;
/// What lies between two wanted parts and is shorter is read, too: asking again takes longer.
const GAP: u32 = 128 << 10;

/// A part of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The pack.
    pub pack: Id,
    /// Where it begins.
    pub offset: u32,
    /// How long it is.
    pub length: u32,
}

/// Parts that lie together and are read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The pack.
    pub pack: Id,
    /// Where it begins, and where it ends.
    pub first: u32,
    pub end: u32,
    /// How many parts are in it.
    pub parts: usize,
}

impl Piece {
    /// Is all of a part in it?
    pub fn has(&self, pack: &Id, offset: u32, length: u32) -> bool {
        self.pack == *pack && self.first <= offset && offset.saturating_add(length) <= self.end
    }
}

/// All pieces, in the order in which the first part of each is needed.
#[derive(Debug, Default)]
pub struct Plan {
    pieces: Vec<Piece>,
    /// Those of each pack, by where they begin.
    of: HashMap<Id, Vec<usize>>,
    /// Which of them somebody was told of.
    told: Vec<bool>,
    /// Before this one, all were.
    next: usize,
}

impl Plan {
    /// Of parts in the order in which they are needed. Those that are needed twice are read once.
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut packs: HashMap<Id, HashMap<u32, (usize, u32)>> = HashMap::new();
        for (place, part) in parts.into_iter().enumerate() {
            packs.entry(part.pack).or_default().entry(part.offset).or_insert((place, part.length));
        }
        let mut pieces: Vec<(usize, Piece)> = Vec::new();
        for (pack, parts) in packs {
            let mut parts: Vec<(u32, usize, u32)> =
                parts.into_iter().map(|(offset, (place, length))| (offset, place, length)).collect();
            parts.sort_unstable();
            let (mut open, mut most): (Option<(usize, Piece)>, u32) = (None, FIRST);
            for (offset, place, length) in parts {
                let end = offset.saturating_add(length);
                match &mut open {
                    Some((earliest, piece)) if offset <= piece.end.saturating_add(GAP) && end - piece.first <= most => {
                        *earliest = place.min(*earliest);
                        piece.end = end.max(piece.end);
                        piece.parts += 1;
                    }
                    _ => {
                        if let Some(full) = open.replace((place, Piece { pack, first: offset, end, parts: 1 })) {
                            pieces.push(full);
                            most = (most * 2).min(MOST);
                        }
                    }
                }
            }
            pieces.extend(open);
        }
        pieces.sort_unstable_by_key(|(place, _)| *place);
        let pieces: Vec<Piece> = pieces.into_iter().map(|(_, piece)| piece).collect();
        let mut of: HashMap<Id, Vec<usize>> = HashMap::new();
        for (number, piece) in pieces.iter().enumerate() {
            of.entry(piece.pack).or_default().push(number);
        }
        for numbers in of.values_mut() {
            numbers.sort_unstable_by_key(|number| pieces[*number].first);
        }
        let told = vec![false; pieces.len()];
        Self { pieces, of, told, next: 0 }
    }

    /// The piece that a part is in, for whoever reads it now.
    pub fn piece(&mut self, pack: &Id, offset: u32, length: u32) -> Option<Piece> {
        let numbers = self.of.get(pack)?;
        let behind = numbers.partition_point(|number| self.pieces[*number].first <= offset);
        let number = *numbers.get(behind.checked_sub(1)?)?;
        let piece = self.pieces[number];
        if !piece.has(pack, offset, length) {
            return None;
        }
        self.told[number] = true;
        Some(piece)
    }

    /// The next piece that nobody was told of yet.
    pub fn next(&mut self) -> Option<Piece> {
        self.next += self.told[self.next..].iter().take_while(|told| **told).count();
        let piece = *self.pieces.get(self.next)?;
        self.told[self.next] = true;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(letter: char) -> Id {
        letter.to_string().repeat(64).parse().unwrap()
    }

    fn part(letter: char, offset: u32, length: u32) -> Part {
        Part { pack: id(letter), offset, length }
    }

    #[test]
    fn what_lies_together_is_read_at_once_in_the_order_in_which_it_is_needed() {
        let (near, far) = (1000 + GAP, 5 << 20);
        let parts =
            [part('b', 500, 100), part('a', 0, 1000), part('a', far, 50), part('a', near, 10), part('a', 0, 1000)];
        let mut plan = Plan::new(parts);
        let all: Vec<Piece> = std::iter::from_fn(|| plan.next()).collect();
        let piece = |letter, first, end, parts| Piece { pack: id(letter), first, end, parts };
        assert_eq!(all, [piece('b', 500, 600, 1), piece('a', 0, near + 10, 2), piece('a', far, far + 50, 1)]);
        assert_eq!(plan.piece(&id('a'), near, 10), Some(all[1]));
        assert_eq!((plan.piece(&id('a'), near, 11), plan.piece(&id('c'), 0, 1)), (None, None));
        assert_eq!(plan.piece(&id('b'), 499, 1), None);
        // What somebody reads already is not told of again.
        let mut plan = Plan::new(parts);
        plan.piece(&id('a'), 0, 10).unwrap();
        assert_eq!((plan.next(), plan.next(), plan.next()), (Some(all[0]), Some(all[2]), None));
    }

    #[test]
    fn no_piece_is_longer_than_is_read_at_once_but_for_one_part_that_is() {
        let mut plan = Plan::new((0..16).map(|n| part('a', n << 20, 1 << 20)).chain([part('b', 0, 9 << 20)]));
        let all: Vec<u32> = std::iter::from_fn(|| plan.next()).map(|piece| piece.end - piece.first).collect();
        let sizes: Vec<u32> = [1, 1, 1, 2, 2, 2, 2, 2, 2, 1, 9].map(|size| size << 20).to_vec();
        assert_eq!(all, sizes);
    }
}
