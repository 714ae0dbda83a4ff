//! Texts whose characters each hold a few bits of others: base64 and hexadecimal.
//!
//! Where such a text begins cannot be seen, so it is read at every alignment: four for base64, two for hexadecimal. What comes
//! out at a wrong one is noise, and ends at the first byte that cannot stand in a text.

use super::book::{Book, SEED};
use super::bytes::{FOLDED, Unit, is_left_out};
use super::escapes::begins_escape;
use super::found::Found;
use super::view::View;

/// Not a character of the alphabet.
const NONE: u8 = 0xff;
/// Not a character of the alphabet either, but one that may stand between two of them: a line end, a quote, a colon.
const PASSED: u8 = 0xfe;

/// Characters of which it is known where they are: two groups of base64.
const PLACES: usize = 8;

/// So many characters of base64 or hexadecimal in a row are looked through at what they may hold.
const NESTED: u8 = 6;

/// So many bytes of a text in a row are looked into, whatever they are.
const LONGEST: usize = 32;

/// A text of characters with `BITS` bits each, of which `GROUP` make whole bytes.
pub(super) struct Packed<const BITS: usize, const GROUP: usize> {
    alphabet: &'static [u8; 256],
    /// How many encodings the text is in.
    depth: usize,
    /// The bits of the last characters, where those of the last two groups are, and how many there were.
    bits: u64,
    spans: [(usize, usize); PLACES],
    count: usize,
    /// What comes out when a group begins with the first, second, … character.
    alignments: [Alignment; GROUP],
}

/// Both alphabets of RFC 4648.
pub(super) type Base64 = Packed<6, 4>;
/// Digits in both cases.
pub(super) type Hex = Packed<4, 2>;

/// What comes out at one alignment.
#[derive(Default)]
struct Alignment {
    /// The first bytes of what may be a text, and how many; once there is a reason to look into it, they all go into the view.
    first: [Unit; LONGEST],
    length: usize,
    is_text: bool,
    /// Reasons: the last four bytes that count, and how many there were; how many characters of base64 there were in a row;
    /// whether something in it may be an escape.
    gram: u32,
    counted: u32,
    nested: u8,
    has_escape: bool,
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
        Self { alphabet, depth, bits: 0, spans: [(0, 0); PLACES], count: 0, alignments }
    }

    #[inline]
    pub(super) fn push(&mut self, unit: Unit, book: &Book, found: &mut Found) {
        match self.alphabet[usize::from(unit.byte)] {
            NONE if self.count == 0 => {}
            NONE => self.rest(book, found),
            PASSED => {}
            value => {
                self.bits = self.bits << BITS | u64::from(value);
                self.spans[self.count % PLACES] = (unit.start, unit.end);
                self.count += 1;
                let may_begin = may_begin(self.bits, Self::whole(book), book);
                if self.count >= GROUP && (may_begin || self.alignments[self.count % GROUP].length > 0) {
                    self.group(book, found);
                }
            }
        }
    }

    /// The next bytes of the outermost text, of which the first is at `start`: as [`push`](Self::push) of each.
    pub(super) fn read(&mut self, bytes: &[u8], start: usize, book: &Book, found: &mut Found) {
        let (mut bits, mut count) = (self.bits, self.count);
        let whole = Self::whole(book);
        for (at, byte) in (start..).zip(bytes) {
            match self.alphabet[usize::from(*byte)] {
                NONE if count == 0 => {}
                NONE => {
                    (self.bits, self.count) = (bits, count);
                    self.rest(book, found);
                    count = 0;
                }
                PASSED => {}
                value => {
                    bits = bits << BITS | u64::from(value);
                    self.spans[count % PLACES] = (at, at + 1);
                    count += 1;
                    let wanted = may_begin(bits, whole, book) || self.alignments[count % GROUP].length > 0;
                    if wanted && count >= GROUP {
                        (self.bits, self.count) = (bits, count);
                        self.group(book, found);
                    }
                }
            }
        }
        (self.bits, self.count) = (bits, count);
    }

    /// How many bytes of a group must be such of a text for one to begin there, or in the group before: a text of less than two
    /// groups need not hold a whole one.
    fn whole(book: &Book) -> usize {
        if book.least() + 1 < 2 * Self::BYTES { 1 } else { Self::BYTES }
    }

    /// The text ends here, perhaps in the middle of a group.
    pub(super) fn rest(&mut self, book: &Book, found: &mut Found) {
        if self.alignments.iter().any(|alignment| alignment.length > 0) {
            for present in 1..GROUP.min(self.count) {
                let (bits, first) = (self.bits << (BITS * (GROUP - present)), self.count - present);
                (0..present * BITS / 8).for_each(|place| self.take(bits, first, place, book, found));
            }
            self.alignments.iter_mut().for_each(|alignment| alignment.close(book, found));
        }
        self.count = 0;
    }

    pub(super) fn held(&mut self, patient: bool, book: &Book, found: &mut Found) -> usize {
        let depth = self.depth;
        let held = if patient && self.count > 0 { self.begun(book) } else { usize::MAX };
        self.alignments.iter_mut().map(|alignment| alignment.held(patient, depth, book, found)).fold(held, usize::min)
    }

    /// Where the characters begin that may be the first of a text that has no whole group yet.
    fn begun(&self, book: &Book) -> usize {
        let first = |after: usize| {
            let complete = self.count.checked_sub(after + GROUP);
            let texts = complete.map_or(0, |_| Self::texts(self.bits >> (BITS * after), book));
            match complete {
                Some(group) if texts > 0 => group + (Self::BYTES - texts) * 8 / BITS,
                _ => self.count - after.min(self.count),
            }
        };
        let first = (0..GROUP).map(first).min().unwrap_or_default();
        if first < self.count { self.spans[first % PLACES].0 } else { usize::MAX }
    }

    /// How many bytes at the end of a group may stand in a text.
    fn texts(group: u64, book: &Book) -> usize {
        group.to_le_bytes()[..Self::BYTES].iter().take_while(|byte| book.may_be_text(**byte)).count()
    }

    /// Reads the last group, which is whole.
    #[inline]
    fn group(&mut self, book: &Book, found: &mut Found) {
        let first = self.count - GROUP;
        if Self::BYTES > 1 && self.alignments[first % GROUP].length == 0 && first >= GROUP {
            // The text may have begun in the group before.
            let before = self.bits >> (BITS * GROUP);
            let texts = Self::texts(before, book);
            (Self::BYTES - texts..Self::BYTES).for_each(|place| self.take(before, first - GROUP, place, book, found));
        }
        (0..Self::BYTES).for_each(|place| self.take(self.bits, first, place, book, found));
    }

    /// Takes a byte of the group that begins with the `first` character.
    #[inline]
    fn take(&mut self, bits: u64, first: usize, place: usize, book: &Book, found: &mut Found) {
        let byte = (bits >> (BITS * GROUP - 8 * (place + 1))).to_le_bytes()[0];
        let start = self.spans[(first + place * 8 / BITS) % PLACES].0;
        let end = self.spans[(first + (place * 8 + 7) / BITS) % PLACES].1;
        self.alignments[first % GROUP].take(Unit { byte, start, end }, self.depth, book, found);
    }
}

/// May the last bytes of a group all stand in a text? Most noise is told from one here.
#[inline]
fn may_begin(bits: u64, whole: usize, book: &Book) -> bool {
    bits.to_le_bytes()[..whole].iter().fold(true, |all, byte| all & book.may_be_text(*byte))
}

impl Alignment {
    #[inline]
    fn take(&mut self, unit: Unit, depth: usize, book: &Book, found: &mut Found) {
        if !book.may_be_text(unit.byte) {
            if self.length > 0 {
                self.close(book, found);
            }
        } else if self.is_text {
            self.view(depth).push(unit, book, found);
        } else {
            self.first[self.length] = unit;
            self.length += 1;
            if self.is_worth_a_look(unit.byte, book) {
                self.look(depth, book, found);
            }
        }
    }

    /// Is there something in it by now that is found in a view only: the beginning of a part of a secret, an escape, or an
    /// encoding within the encoding?
    #[inline]
    fn is_worth_a_look(&mut self, byte: u8, book: &Book) -> bool {
        let folded = FOLDED[usize::from(byte)];
        let counts = u32::from(folded != 0);
        if folded != 0 {
            self.gram = self.gram << 8 | u32::from(folded);
        }
        self.counted += counts;
        self.nested = match BASE64[usize::from(byte)] {
            NONE => 0,
            PASSED => self.nested,
            _ => self.nested + 1,
        };
        self.has_escape |= begins_escape(byte);
        (self.counted >= 4 && book.may_be_seed(self.gram))
            || self.nested >= NESTED
            || (self.has_escape && self.length >= book.least())
            || self.length == LONGEST
    }

    /// Looks into what there is of it.
    #[inline(never)]
    fn look(&mut self, depth: usize, book: &Book, found: &mut Found) {
        self.is_text = true;
        let (first, length) = (self.first, self.length);
        first[..length].iter().for_each(|unit| self.view(depth).push(*unit, book, found));
    }

    fn view(&mut self, depth: usize) -> &mut View {
        self.view.get_or_insert_with(|| Box::new(View::new(depth + 1)))
    }

    fn close(&mut self, book: &Book, found: &mut Found) {
        if let Some(view) = self.view.as_mut().filter(|_| self.is_text) {
            view.rest(book, found);
        }
        (self.length, self.is_text) = (0, false);
        (self.counted, self.nested, self.has_escape) = (0, 0, false);
    }

    fn held(&mut self, patient: bool, depth: usize, book: &Book, found: &mut Found) -> usize {
        if !patient && !self.is_text && self.length >= SEED {
            self.look(depth, book, found);
        }
        match &mut self.view {
            _ if self.length == 0 => usize::MAX,
            Some(view) if self.is_text => view.held(patient, book, found),
            _ if patient => self.first[0].start,
            _ => usize::MAX,
        }
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
