use super::book::{Book, Place, SEED};
use super::bytes::{FOLDED, Unit};
use super::form::Form;
use super::found::Found;

/// How many bytes that are left out may stand between two of one secret: a line end and the indentation of the next line.
const GAP: u32 = 256;

/// Finds runs of a secret's bytes in a text at one depth of encoding.
#[derive(Clone, Default)]
pub(super) struct Runs {
    /// The last four bytes that count, folded and as they were.
    gram: u32,
    raw: u32,
    /// How many there are, and where each began.
    count: usize,
    starts: [usize; SEED],
    /// A bit for each byte before which there was white space; the lowest for what comes next.
    spaces: u32,
    /// Where the last one ended, and how many bytes were left out since.
    end: usize,
    gap: u32,
    /// The runs that may still grow.
    open: Vec<Run>,
}

/// Bytes of a text that are the bytes of a secret from `first` up to `next`.
#[derive(Clone)]
struct Run {
    form: usize,
    first: usize,
    next: usize,
    start: usize,
    end: usize,
    /// Is it more than may be seen?
    tells: bool,
    spelling: Spelling,
    /// Is there no white space in it?
    in_one_piece: bool,
}

/// How a run is written, compared with the secret.
#[derive(Clone)]
struct Spelling {
    same: bool,
    upper: bool,
    lower: bool,
}

impl Runs {
    #[inline]
    pub(super) fn push(&mut self, unit: Unit, book: &Book, found: &mut Found) {
        let folded = FOLDED[usize::from(unit.byte)];
        if folded == 0 {
            self.spaces |= u32::from(matches!(unit.byte, b' ' | b'\t' | b'\r' | b'\n'));
            self.gap += 1;
            return;
        }
        if std::mem::take(&mut self.gap) > GAP {
            self.rest(found);
        }
        self.gram = self.gram << 8 | u32::from(folded);
        self.raw = self.raw << 8 | u32::from(unit.byte);
        self.starts[self.count % SEED] = unit.start;
        self.count += 1;
        self.end = unit.end;
        if !self.open.is_empty() {
            let spaced = self.spaces & 1 != 0;
            self.open.retain_mut(|run| run.goes_on(unit, spaced, book.form(run.form), found));
        }
        self.spaces <<= 1;
        if book.may_be_seed(self.gram) && self.count >= SEED {
            self.begin(book, found);
        }
    }

    /// The next bytes of the outermost text, of which the first is at `start`. As [`push`](Self::push) of each; while no run is
    /// open, which is nearly always, the state stays in registers.
    pub(super) fn read(&mut self, bytes: &[u8], start: usize, book: &Book, found: &mut Found) {
        let mut at = 0;
        while at < bytes.len() {
            if self.open.is_empty() {
                let (read, is_seed) = self.skim(&bytes[at..], start + at, book);
                at += read;
                if is_seed {
                    self.begin(book, found);
                    continue;
                }
            }
            if let Some(byte) = bytes.get(at) {
                self.push(Unit { byte: *byte, start: start + at, end: start + at + 1 }, book, found);
                at += 1;
            }
        }
    }

    /// Goes through bytes until one of them ends a seed, and says how many those were and whether one did. Where many bytes in a row are left out it
    /// stops as well: the next one is for [`push`](Self::push).
    fn skim(&mut self, bytes: &[u8], start: usize, book: &Book) -> (usize, bool) {
        let Self { gram, raw, count, spaces, gap, .. } = *self;
        let (mut gram, mut raw, mut count, mut spaces, mut gap) = (gram, raw, count, spaces, gap);
        let (mut read, mut is_seed) = (0, false);
        for byte in bytes {
            let folded = FOLDED[usize::from(*byte)];
            if folded == 0 {
                spaces |= u32::from(matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
                gap += 1;
                read += 1;
                continue;
            }
            if gap > GAP {
                break;
            }
            gap = 0;
            gram = gram << 8 | u32::from(folded);
            raw = raw << 8 | u32::from(*byte);
            self.starts[count % SEED] = start + read;
            count += 1;
            spaces <<= 1;
            read += 1;
            self.end = start + read;
            if book.may_be_seed(gram) && count >= SEED {
                is_seed = true;
                break;
            }
        }
        (self.gram, self.raw, self.count, self.spaces, self.gap) = (gram, raw, count, spaces, gap);
        (read, is_seed)
    }

    /// The text ends here, or something that cannot stand within a secret.
    pub(super) fn rest(&mut self, found: &mut Found) {
        self.count = 0;
        self.spaces = 0;
        for run in self.open.drain(..).filter(|run| run.tells) {
            found.add(run.start..run.end);
        }
    }

    /// How many bytes that count there were since the text began.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Is a run going on?
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Hands over what is certain already, and says from where on the text is not to be shown yet.
    ///
    /// A `patient` reader waits for the last few bytes as well, which are no seed yet.
    pub(super) fn held(&mut self, patient: bool, found: &mut Found) -> usize {
        let mut held = usize::MAX;
        for run in &mut self.open {
            if run.tells {
                found.add(run.start..run.end);
                run.start = run.end;
            }
            held = held.min(run.start);
        }
        if patient {
            let pending = self.count.min(SEED - 1);
            for back in 1..=pending {
                held = held.min(self.starts[(self.count - back) % SEED]);
            }
        }
        held
    }

    fn begin(&mut self, book: &Book, found: &mut Found) {
        for Place { form, at } in book.places(self.gram) {
            let next = at + SEED;
            if self.open.iter().any(|run| run.form == *form && run.next == next) {
                continue;
            }
            let kept = &book.form(*form).kept[*at..next];
            let mut run = Run {
                form: *form,
                first: *at,
                next,
                start: self.starts[self.count % SEED],
                end: self.end,
                tells: false,
                spelling: Spelling { same: true, upper: true, lower: true },
                in_one_piece: self.spaces & 0b1110 == 0,
            };
            for (byte, kept) in self.raw.to_be_bytes().into_iter().zip(kept) {
                run.spelling.note(byte, kept.byte);
            }
            if run.is_open(book.form(*form), found) {
                self.open.push(run);
            }
        }
    }
}

impl Run {
    /// Takes one more byte of the text: does the run go on with it?
    fn goes_on(&mut self, unit: Unit, spaced: bool, form: &Form, found: &mut Found) -> bool {
        let kept = form.kept[self.next];
        if kept.folded != FOLDED[usize::from(unit.byte)] {
            if self.tells {
                found.add(self.start..self.end);
            }
            return false;
        }
        self.spelling.note(unit.byte, kept.byte);
        self.in_one_piece &= !spaced;
        self.next += 1;
        self.end = unit.end;
        self.is_open(form, found)
    }

    /// Notes what the run has become, and whether it can grow.
    fn is_open(&mut self, form: &Form, found: &mut Found) -> bool {
        let ends = self.next == form.kept.len();
        let is_whole = ends && self.first == 0;
        // A short secret is a word of other texts too.
        let fits = || !form.is_short() || (self.spelling.is_usual() && (self.in_one_piece || form.may_be_spaced()));
        self.tells = self.tells || form.tells(self.first, self.next) || (is_whole && fits());
        if ends && self.tells {
            found.add(self.start..self.end);
        }
        !ends
    }
}

impl Spelling {
    fn note(&mut self, byte: u8, secret: u8) {
        self.same &= byte == secret;
        self.upper &= !byte.is_ascii_lowercase();
        self.lower &= !byte.is_ascii_uppercase();
    }

    /// Is it as the secret is written, or all of it in one case?
    fn is_usual(&self) -> bool {
        self.same || self.upper || self.lower
    }
}
