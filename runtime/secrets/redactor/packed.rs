//! Texts whose characters each hold a few bits of others: base64 and hexadecimal.
//!
//! Where such a text begins cannot be seen, so it is read at every alignment: four for base64, two for hexadecimal. What comes
//! out at a wrong one is noise, and ends at the first byte that cannot stand in a text.

use std::ops::Range;

use super::book::{Book, SEED};
use super::bytes::{FOLDED, Unit, is_left_out};
use super::escapes::least_of_escape;
use super::found::Found;
use super::view::View;

/// Not a character of the alphabet.
const NONE: u8 = 0xff;
/// Not a character of the alphabet either, but one that may stand between two of them: a line end, a quote, a colon.
const PASSED: u8 = 0xfe;

/// Characters that are remembered: those of [`LONGEST`] bytes, and of a group that is not whole.
const RING: usize = 64;

/// So many bytes of a text in a row are looked into, whatever they are.
const LONGEST: usize = 31;

/// A text of characters with `BITS` bits each, of which `GROUP` make whole bytes.
pub(super) struct Packed<const BITS: usize, const GROUP: usize> {
    alphabet: &'static [u8; 256],
    /// How many encodings the text is in.
    depth: usize,
    /// The bits of the last characters, the last characters with their values in place of the bytes, and how many there were.
    bits: u64,
    ring: [Unit; RING],
    count: usize,
    /// May something be a text at one of the alignments?
    is_open: bool,
    /// What comes out when a group ends after the last character, after the first, the second, …
    alignments: [Alignment; GROUP],
}

/// Both alphabets of RFC 4648.
pub(super) type Base64 = Packed<6, 4>;
/// Digits in both cases.
pub(super) type Hex = Packed<4, 2>;

/// What comes out at one alignment.
#[derive(Default)]
struct Alignment {
    /// How many bytes in a row may be a text; once there is a reason to look into them, they all go into the view.
    length: usize,
    is_text: bool,
    reasons: Reasons,
    view: Option<Box<View>>,
}

static BASE64: [u8; 256] = alphabet(
    &[
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 0),
        (b"abcdefghijklmnopqrstuvwxyz", 26),
        (b"0123456789", 52),
        (b"+/", 62),
        (b"-_", 62),
    ],
    b"",
);

impl Base64 {
    pub(super) fn base64(depth: usize) -> Self {
        Self::new(&BASE64, depth)
    }
}

impl Hex {
    pub(super) fn hex(depth: usize) -> Self {
        static ALPHABET: [u8; 256] = alphabet(&[(b"0123456789", 0), (b"abcdef", 10), (b"ABCDEF", 10)], b":-");
        Self::new(&ALPHABET, depth)
    }
}

impl<const BITS: usize, const GROUP: usize> Packed<BITS, GROUP> {
    /// The bytes of a group.
    const BYTES: usize = GROUP * BITS / 8;

    fn new(alphabet: &'static [u8; 256], depth: usize) -> Self {
        let alignments = std::array::from_fn(|_| Alignment::default());
        Self { alphabet, depth, bits: 0, ring: [Unit::default(); RING], count: 0, is_open: false, alignments }
    }

    #[inline]
    pub(super) fn push(&mut self, unit: Unit, book: &Book, found: &mut Found) {
        match self.alphabet[usize::from(unit.byte)] {
            NONE => self.rest(book, found),
            PASSED => {}
            value => {
                self.bits = self.bits << BITS | u64::from(value);
                self.ring[self.count % RING] = Unit { byte: value, ..unit };
                self.count += 1;
                let goes_on = self.is_open && self.alignments[self.count % GROUP].length > 0;
                if goes_on || Self::beginning(book).is_at_end(self.bits, book) {
                    self.group(book, found);
                }
            }
        }
    }

    /// The next bytes of the outermost text, of which the first is at `start`: as [`push`](Self::push) of each.
    pub(super) fn read(&mut self, bytes: &[u8], start: usize, book: &Book, found: &mut Found) {
        let (mut bits, mut count) = (self.bits, self.count);
        let beginning = Self::beginning(book);
        for (at, byte) in (start..).zip(bytes) {
            match self.alphabet[usize::from(*byte)] {
                NONE if !self.is_open => count = 0,
                NONE => {
                    (self.bits, self.count) = (bits, count);
                    self.rest(book, found);
                    count = 0;
                }
                PASSED => {}
                value => {
                    bits = bits << BITS | u64::from(value);
                    self.ring[count % RING] = Unit { byte: value, start: at, end: at + 1 };
                    count += 1;
                    let goes_on = self.is_open && self.alignments[count % GROUP].length > 0;
                    if goes_on || beginning.is_at_end(bits, book) {
                        (self.bits, self.count) = (bits, count);
                        self.group(book, found);
                    }
                }
            }
        }
        (self.bits, self.count) = (bits, count);
    }

    /// How a text begins that can hold a part of a secret: of its bytes all but two are before the end of some group, wherever
    /// in a group the first one is.
    fn beginning(book: &Book) -> Beginning {
        let most = u64::BITS as usize / 8 + 1 - Self::BYTES;
        let bytes = |least: usize| most.min(least + 1 - Self::BYTES);
        Beginning::new(bytes(book.least_ascii()), book.least_beyond().map(bytes))
    }

    /// The text ends here, perhaps in the middle of a group.
    pub(super) fn rest(&mut self, book: &Book, found: &mut Found) {
        if self.is_open {
            for present in 1..GROUP.min(self.count) {
                let (absent, end) = (GROUP - present, self.count - present + GROUP);
                if self.alignments[end % GROUP].length > 0 {
                    let missing = Self::BYTES - present * BITS / 8;
                    self.take(missing..Self::BYTES, self.bits << (BITS * absent), end, book, found);
                }
            }
            self.alignments.iter_mut().for_each(|alignment| alignment.close(book, found));
            self.is_open = false;
        }
        self.count = 0;
    }

    /// Hands over what is certain already, and says from where on the text is not to be shown yet.
    pub(super) fn held(&mut self, patient: bool, book: &Book, found: &mut Found) -> usize {
        let mut held = usize::MAX;
        for after in 0..GROUP.min(self.count + 1) {
            let end = self.count - after;
            let length = self.alignments[end % GROUP].length;
            let texts = if length > 0 { length } else { self.texts(after, book) };
            if !patient && texts >= SEED {
                if length == 0 {
                    self.take(0..texts, self.bits >> (BITS * after), end, book, found);
                }
                self.look(0, end, book, found);
            }
            let seen = match &mut self.alignments[end % GROUP] {
                Alignment { is_text: true, view: Some(view), .. } => {
                    held = held.min(view.held(patient, book, found));
                    0
                }
                _ => texts,
            };
            let first = end - (8 * seen).div_ceil(BITS);
            if patient && first < self.count {
                held = held.min(self.ring[first % RING].start);
            }
        }
        held
    }

    /// How many bytes in a row are such of a text, up to so many characters before the last one.
    fn texts(&self, after: usize, book: &Book) -> usize {
        let known = ((self.count - after) * BITS).min(u64::BITS as usize - BITS * after) / 8;
        let bytes = (self.bits >> (BITS * after)).to_le_bytes();
        bytes.iter().take(known).take_while(|byte| book.may_be_text(**byte)).count()
    }

    /// Reads the last group, which is whole: it goes on with a text, or with those before it begins one.
    fn group(&mut self, book: &Book, found: &mut Found) {
        let (bits, end) = (self.bits, self.count);
        let is_within = self.alignments[end % GROUP].length > 0;
        if is_within && self.take(0..Self::BYTES, bits, end, book, found) {
            return;
        }
        if !is_within || Self::beginning(book).is_at_end(bits, book) {
            self.take(0..self.texts(0, book), bits, end, book, found);
        }
    }

    /// Takes bytes of these bits, each named by how many come after it until a group ends with the character before `end`.
    /// Does the text go on after them?
    #[inline]
    fn take(&mut self, backs: Range<usize>, bits: u64, end: usize, book: &Book, found: &mut Found) -> bool {
        self.is_open = true;
        for back in backs.rev() {
            let byte = (bits >> (8 * back)).to_le_bytes()[0];
            let alignment = &mut self.alignments[end % GROUP];
            if !book.may_be_text(byte) {
                alignment.close(book, found);
                return false;
            }
            if alignment.is_text {
                let unit = unit::<BITS>(&self.ring, back, end);
                alignment.view(self.depth).push(unit, book, found);
                continue;
            }
            alignment.length += 1;
            // So long nothing can be found in it, whatever it is.
            if alignment.length >= book.least() && self.is_worth_a_look(byte, back, end, book) {
                self.look(back, end, book, found);
            }
        }
        true
    }

    /// Is there something by now, up to this byte, that is found in a view only?
    fn is_worth_a_look(&mut self, byte: u8, back: usize, end: usize, book: &Book) -> bool {
        let Alignment { length, reasons, .. } = &mut self.alignments[end % GROUP];
        if *length > book.least() {
            return reasons.note(byte, *length, book) || *length == LONGEST;
        }
        *reasons = Reasons::default();
        let bytes = (back..back + *length).rev().map(|back| unit::<BITS>(&self.ring, back, end).byte);
        bytes.fold(false, |any, byte| any | reasons.note(byte, *length, book))
    }

    /// Looks into a text of which so many bytes of a group are not taken yet.
    #[inline(never)]
    fn look(&mut self, back: usize, end: usize, book: &Book, found: &mut Found) {
        let alignment = &mut self.alignments[end % GROUP];
        if !std::mem::replace(&mut alignment.is_text, true) {
            for back in (back..back + alignment.length).rev() {
                alignment.view(self.depth).push(unit::<BITS>(&self.ring, back, end), book, found);
            }
        }
    }
}

/// The byte with so many others after it until a group ends with the character before `end`.
fn unit<const BITS: usize>(ring: &[Unit; RING], back: usize, end: usize) -> Unit {
    let (first, last) = (end - (8 * (back + 1)).div_ceil(BITS), end - 1 - 8 * back / BITS);
    let bits = (first..=last).fold(0_u32, |bits, at| bits << BITS | u32::from(ring[at % RING].byte));
    let byte = (bits >> (8 * back - BITS * (end - 1 - last))).to_le_bytes()[0];
    Unit { byte, start: ring[first % RING].start, end: ring[last % RING].end }
}

/// What the last bytes are like when a text may have begun. Nearly all noise is told from one here.
struct Beginning {
    /// So many bytes of an ASCII text.
    ascii: usize,
    /// The bits that are in none of these.
    high: u64,
    /// So many bytes of any other text, where there are such secrets.
    any: Option<usize>,
}

impl Beginning {
    fn new(ascii: usize, any: Option<usize>) -> Self {
        Self { ascii, high: 0x8080_8080_8080_8080 >> (u64::BITS as usize - 8 * ascii), any }
    }

    #[inline]
    fn is_at_end(&self, bits: u64, book: &Book) -> bool {
        let bytes = bits.to_le_bytes();
        let are_text = |length: usize| bytes[..length].iter().all(|byte| book.may_be_text(*byte));
        (bits & self.high == 0 && are_text(self.ascii)) || self.any.is_some_and(are_text)
    }
}

/// What is known of a text that may be a reason to look into it.
#[derive(Default)]
struct Reasons {
    /// The last four bytes that count, and how many there were.
    gram: u32,
    counted: usize,
    /// How many characters of base64 there were in a row.
    nested: usize,
    /// How many more bytes than a text without them one with such escapes has at least, where there may be any.
    escapes: Option<usize>,
}

impl Reasons {
    /// Notes a byte of a text that has so many. Is it the beginning of a part of a secret, an escape, or an encoding within the
    /// encoding?
    #[inline]
    fn note(&mut self, byte: u8, length: usize, book: &Book) -> bool {
        let folded = FOLDED[usize::from(byte)];
        if folded != 0 {
            self.gram = self.gram << 8 | u32::from(folded);
            self.counted += 1;
        }
        self.nested = match BASE64[usize::from(byte)] {
            NONE => 0,
            PASSED => self.nested,
            _ => self.nested + 1,
        };
        if let Some(more) = least_of_escape(byte) {
            self.escapes = Some(self.escapes.map_or(more, |known| known.min(more)));
        }
        (self.counted >= SEED && book.may_be_seed(self.gram))
            || self.nested * 6 >= book.least() * 8
            || self.escapes.is_some_and(|more| length >= book.least() + more)
    }
}

impl Alignment {
    fn view(&mut self, depth: usize) -> &mut View {
        self.view.get_or_insert_with(|| Box::new(View::new(depth + 1)))
    }

    fn close(&mut self, book: &Book, found: &mut Found) {
        if let Some(view) = self.view.as_mut().filter(|_| self.is_text) {
            view.rest(book, found);
        }
        (self.length, self.is_text) = (0, false);
    }
}

/// The value of each character: runs of characters with the value of their first one, and what may stand between them.
const fn alphabet(runs: &[(&[u8], u8)], passed: &[u8]) -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut byte = 0;
    while byte < 128 {
        if is_left_out(byte) {
            table[byte as usize] = PASSED;
        }
        byte += 1;
    }
    let mut at = 0;
    while at < passed.len() {
        table[passed[at] as usize] = PASSED;
        at += 1;
    }
    let mut run = 0;
    while run < runs.len() {
        let (characters, first) = runs[run];
        let (mut at, mut value) = (0, first);
        while at < characters.len() {
            table[characters[at] as usize] = value;
            at += 1;
            value += 1;
        }
        run += 1;
    }
    table
}
