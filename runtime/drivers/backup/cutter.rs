use rustic_cdc::{Rabin64, RollingHash64};
use serde::{Deserialize, Serialize};

/// Over how many bytes it is decided where a piece ends, as a power of two: 64.
const WINDOW: u32 = 6;

/// Where a repository cuts what it saves into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cutting {
    /// What the content is divided by: another one in each repository.
    pub polynomial: u64,
    /// About how large pieces become; a power of two.
    pub size: usize,
    /// The size of the smallest.
    pub least: usize,
    /// The size of the largest.
    pub most: usize,
}

/// Cuts a stream into the pieces that a repository would cut it into: what was saved before has the same pieces as long as it is
/// the same, wherever something else was put in.
pub struct Cutter {
    cutting: Cutting,
    rabin: Rabin64,
    piece: Vec<u8>,
    /// Does the window go along with what comes?
    slides: bool,
}

impl Cutter {
    /// Begins a stream.
    pub fn new(cutting: Cutting) -> Self {
        let rabin = Rabin64::new_with_polynom(WINDOW, &cutting.polynomial);
        Self { cutting, rabin, piece: Vec::new(), slides: false }
    }

    /// Takes more of the stream, and hands on each piece that is whole by then.
    pub fn push(&mut self, mut bytes: &[u8], to: &mut dyn FnMut(Vec<u8>)) {
        let Cutting { size, least, most, .. } = self.cutting;
        while !bytes.is_empty() {
            if self.piece.len() < least {
                let length = bytes.len().min(least - self.piece.len());
                self.piece.extend_from_slice(&bytes[..length]);
                bytes = &bytes[length..];
                if self.piece.len() < least {
                    return;
                }
            }
            if !self.slides {
                let window = self.piece.len().saturating_sub(1 << WINDOW);
                self.rabin.reset_and_prefill_window(&mut self.piece[window..].iter().copied());
                self.slides = true;
            }
            let mut taken = 0;
            while !self.is_whole(size, most) {
                let Some(byte) = bytes.get(taken) else { break };
                self.piece.push(*byte);
                self.rabin.slide(*byte);
                taken += 1;
            }
            bytes = &bytes[taken..];
            if self.is_whole(size, most) {
                self.slides = false;
                to(std::mem::take(&mut self.piece));
            }
        }
    }

    /// Ends the stream: what is left is a piece, too.
    pub fn finish(&mut self, to: &mut dyn FnMut(Vec<u8>)) {
        self.slides = false;
        if !self.piece.is_empty() {
            to(std::mem::take(&mut self.piece));
        }
    }

    fn is_whole(&self, size: usize, most: usize) -> bool {
        self.piece.len() >= most || self.rabin.hash & (size as u64 - 1) == 0
    }
}

impl Cutting {
    /// Can it be cut like that?
    pub fn is_sound(&self) -> bool {
        self.size.is_power_of_two()
            && (1 << WINDOW..=self.size).contains(&self.least)
            && (self.size..=64 << 20).contains(&self.most)
            && self.polynomial >> 53 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Cutting = Cutting { polynomial: 0x003D_A335_8B4D_C173, size: 1 << 12, least: 1 << 11, most: 1 << 15 };

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn pieces(bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
        let (mut cutter, mut made) = (Cutter::new(SMALL), Vec::new());
        for part in bytes.chunks(step) {
            cutter.push(part, &mut |piece| made.push(piece));
        }
        cutter.finish(&mut |piece| made.push(piece));
        made
    }

    #[test]
    fn it_does_not_matter_in_what_portions_a_stream_comes() {
        let bytes = noise(300_000);
        let whole = pieces(&bytes, bytes.len());
        assert!(whole.len() > 20 && whole.concat() == bytes);
        for step in [1, 63, 2048, 4097, 65_536] {
            assert!(pieces(&bytes, step) == whole, "{step}");
        }
    }

    #[test]
    fn what_is_put_in_changes_the_pieces_around_it_and_no_others() {
        let bytes = noise(300_000);
        let mut changed = bytes.clone();
        changed.splice(150_000..150_000, *b"something else");
        let (before, after) = (pieces(&bytes, 9999), pieces(&changed, 9999));
        let new = after.iter().filter(|piece| !before.contains(piece)).count();
        assert!((1..=3).contains(&new), "{new} of {}", after.len());
    }

    #[test]
    fn nothing_has_no_pieces_and_what_is_always_the_same_has_the_largest() {
        assert!(pieces(&[], 1).is_empty());
        assert!(!Cutting { polynomial: 1, ..SMALL }.is_sound() && SMALL.is_sound());
        let zeros = pieces(&vec![1; 100_000], 1000);
        assert_eq!(zeros.concat().len(), 100_000);
    }
}
