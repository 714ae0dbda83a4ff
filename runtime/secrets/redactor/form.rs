use super::bytes::{FOLDED, Unit};
use super::escapes::unescaped;
use super::public;

/// So many characters of a secret in a row are masked. Ten must not be read, and beside nine that are whole a part of another may
/// be seen: in base64 that is cut off each end shows some bits of one more.
pub(super) const RUN: usize = 9;

/// Fewer bytes are too likely to be part of something harmless.
pub(super) const SHORTEST: usize = 4;

/// How many of the bytes that are compared a part of a secret must hold to be one.
const ENOUGH: usize = 5;

/// How many characters that nobody may know a part of a secret must hold to be one.
const TELLING: usize = 3;

/// How many different characters a part of a secret must hold to be one.
const DISTINCT: usize = 4;

/// A secret as it is looked for: what encoders leave of it.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub kept: Vec<Kept>,
    /// All its bytes, with those that are left out.
    pub bytes: Vec<u8>,
    /// How many of them no encoder removes.
    solid: usize,
    /// How many of the secret's characters up to each one nobody may know.
    hidden: Vec<usize>,
    /// Does it hold white space itself?
    has_space: bool,
}

/// A byte of a secret that no encoder removes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kept {
    pub byte: u8,
    pub folded: u8,
    /// Which character of the secret it belongs to.
    character: usize,
    /// How many bytes before it no encoder removes: all but white space, and the beginning of a sequence for terminals.
    before: usize,
}

impl Form {
    /// The forms of a secret: as it is, with its own escapes taken for such, and what the rules for ASCII do not cover of a secret
    /// beyond it: its other case, and UTF-16.
    pub(super) fn all(secret: &str) -> Vec<Self> {
        let mut forms = vec![Self::new(secret, utf8(secret)), Self::new(secret, unescaped(secret))];
        if !secret.is_ascii() {
            for text in [secret.to_owned(), secret.to_lowercase(), secret.to_uppercase()] {
                let encodings = [utf8(&text), utf16(&text, u16::to_le_bytes), utf16(&text, u16::to_be_bytes)];
                forms.extend(encodings.map(|units| Self::new(&text, units)));
            }
        }
        forms.retain(|form| form.kept.len() >= SHORTEST);
        forms.dedup_by(|one, other| one.kept == other.kept);
        forms
    }

    fn new(secret: &str, units: impl IntoIterator<Item = Unit>) -> Self {
        let character = |at: usize| secret.char_indices().take_while(|(start, _)| *start <= at).count() - 1;
        let mut before = 0;
        let mut keep = |unit: Unit| {
            let (byte, folded) = (unit.byte, FOLDED[usize::from(unit.byte)]);
            let kept = Kept { byte, folded, character: unit.start, before };
            before += usize::from(!matches!(byte, b' ' | b'\t'..=b'\r' | 0x1b));
            kept
        };
        let all: Vec<Kept> = units.into_iter().map(&mut keep).collect();
        let bytes = all.iter().map(|kept| kept.byte).collect();
        let mut kept: Vec<Kept> = all.into_iter().filter(|kept| kept.folded != 0).collect();
        if !secret.is_ascii() {
            for kept in &mut kept {
                kept.character = character(kept.character);
            }
        }
        let has_space = secret.contains(char::is_whitespace);
        Self { kept, bytes, solid: before, hidden: hidden(secret), has_space }
    }

    /// Is the part from `first` up to `next` more of the secret than may be seen?
    pub(super) fn tells(&self, first: usize, next: usize) -> bool {
        let (from, to) = self.seen(first, next);
        to >= from + RUN
            && next - first >= ENOUGH
            && self.hidden[to] - self.hidden[from] >= TELLING
            && self.kept[first..next].iter().fold(0_u128, |seen, kept| seen | 1 << (kept.folded & 127)).count_ones()
                as usize
                >= DISTINCT
    }

    /// From which character of the secret to which one a part may show it: what is left out may be seen as well, and a part of
    /// a character is taken for all of it.
    fn seen(&self, first: usize, next: usize) -> (usize, usize) {
        let (begin, end) = (self.kept[first].character, self.kept[next - 1].character + 1);
        let from = first.checked_sub(1).map_or(0, |before| begin.min(self.kept[before].character + 1));
        (from, self.kept.get(next).map_or(self.length(), |after| end.max(after.character)))
    }

    /// How many bytes a text has at least in which a part of the secret stands that is more than may be seen: of such parts that
    /// are ASCII, or of the others.
    pub(super) fn least(&self, is_ascii: bool) -> Option<usize> {
        let length = self.kept.len();
        let beyond = |first: usize| (first..length).find(|at| !self.kept[*at].byte.is_ascii());
        let parts = (0..length).filter_map(|first| {
            let ends = match (is_ascii, beyond(first)) {
                (true, beyond) => first + 1..=beyond.unwrap_or(length),
                (false, beyond) => beyond? + 1..=length,
            };
            ends.into_iter().find(|next| self.tells(first, *next)).map(|next| self.shortest(first, next))
        });
        let whole = (is_ascii == beyond(0).is_none()).then(|| self.solid(0, length));
        parts.chain(whole).min()
    }

    /// How many bytes of a part no encoder removes.
    fn solid(&self, first: usize, next: usize) -> usize {
        self.kept[next - 1].before + 1 - self.kept[first].before
    }

    /// How many bytes a text has at least that shows a part which tells: what is left out beside it counts only where it is seen.
    fn shortest(&self, first: usize, next: usize) -> usize {
        let (from, to) = self.seen(first, next);
        let begin = first.checked_sub(1).map_or(0, |before| self.kept[before].before + 1);
        let solid = self.kept.get(next).map_or(self.solid, |after| after.before) - begin;
        let removed = (to - from).saturating_sub(solid);
        self.solid(first, next).max(solid.min(RUN.saturating_sub(removed)))
    }

    /// May so short a secret only be found as it is written, and in one piece?
    pub(super) fn is_short(&self) -> bool {
        self.kept.len() < RUN
    }

    /// How many characters the secret has.
    fn length(&self) -> usize {
        self.hidden.len() - 1
    }

    /// Does it hold white space itself?
    pub(super) fn may_be_spaced(&self) -> bool {
        self.has_space
    }
}

fn hidden(secret: &str) -> Vec<usize> {
    let public = public::ranges(secret);
    let mut hidden = vec![0];
    for (at, _) in secret.char_indices() {
        let is_hidden = !public.iter().any(|range| range.contains(&at));
        hidden.push(hidden[hidden.len() - 1] + usize::from(is_hidden));
    }
    hidden
}

fn utf8(text: &str) -> Vec<Unit> {
    text.bytes().enumerate().map(|(start, byte)| Unit { byte, start, end: start + 1 }).collect()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<Unit> {
    let mut units = Vec::new();
    for (start, c) in text.char_indices() {
        let encoded = c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| bytes(*unit)).collect::<Vec<_>>();
        units.extend(encoded.into_iter().map(|byte| Unit { byte, start, end: start + c.len_utf8() }));
    }
    units
}
