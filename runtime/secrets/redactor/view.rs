use super::book::{Book, SEED};
use super::bytes::Unit;
use super::escapes::{Escapes, begins_escape};
use super::found::Found;
use super::packed::{Base64, Hex};
use super::runs::Runs;

/// How many times a text is decoded from base64 or hexadecimal; any number of escapes may be between them.
const DEEPEST: usize = 12;

/// So many bytes go through one reader before the next one has them.
const BATCH: usize = 1024;

/// A text at one depth of encoding: looked at as it is, without its escapes, and through what can be decoded in it.
pub(super) struct View {
    depth: usize,
    /// As it is, near an escape: everywhere else that is no other text.
    plain: Option<Plain>,
    escapes: Escapes,
    unescaped: Runs,
    base64: Base64,
    hex: Hex,
}

/// A text as it is, up to so many bytes that count: by then it is the same without its escapes.
struct Plain {
    runs: Runs,
    until: usize,
}

impl View {
    /// A text that was decoded so many times.
    pub(super) fn new(depth: usize) -> Self {
        Self {
            depth,
            plain: None,
            escapes: Escapes::default(),
            unescaped: Runs::default(),
            base64: Base64::base64(depth),
            hex: Hex::hex(depth),
        }
    }

    /// The next bytes of the outermost text, of which the first is at `start`.
    ///
    /// Each reader goes through what has no escapes by itself: that is twice as fast as byte by byte through all of them.
    pub(super) fn read(&mut self, bytes: &[u8], start: usize, book: &Book, found: &mut Found) {
        let unit = |at: usize| Unit { byte: bytes[at], start: start + at, end: start + at + 1 };
        let mut at = 0;
        while at < bytes.len() {
            if begins_escape(bytes[at]) || self.plain.is_some() || self.escapes.is_waiting() {
                self.push(unit(at), book, found);
                at += 1;
                continue;
            }
            let ahead = bytes[at..].iter().take(BATCH).take_while(|byte| !begins_escape(**byte)).count();
            let batch = &bytes[at..at + ahead];
            self.unescaped.read(batch, start + at, book, found);
            self.base64.read(batch, start + at, book, found);
            self.hex.read(batch, start + at, book, found);
            at += ahead;
        }
    }

    #[inline]
    pub(super) fn push(&mut self, unit: Unit, book: &Book, found: &mut Found) {
        let Self { depth, plain, escapes, unescaped, base64, hex } = self;
        if begins_escape(unit.byte) {
            let runs = plain.take().map_or_else(|| unescaped.clone(), |plain| plain.runs);
            *plain = Some(Plain { until: runs.count() + SEED, runs });
        }
        if let Some(Plain { runs, until }) = plain {
            runs.push(unit, book, found);
            if runs.count() > *until && !runs.is_open() && !escapes.is_waiting() {
                *plain = None;
            }
        }
        escapes.push(unit, &mut |unit| {
            unescaped.push(unit, book, found);
            if *depth < DEEPEST {
                base64.push(unit, book, found);
                hex.push(unit, book, found);
            }
        });
    }

    /// The text ends here.
    pub(super) fn rest(&mut self, book: &Book, found: &mut Found) {
        let Self { plain, escapes, unescaped, base64, hex, .. } = self;
        if let Some(mut plain) = plain.take() {
            plain.runs.rest(found);
        }
        escapes.rest(&mut |unit| {
            unescaped.push(unit, book, found);
            base64.push(unit, book, found);
            hex.push(unit, book, found);
        });
        unescaped.rest(found);
        base64.rest(book, found);
        hex.rest(book, found);
    }

    /// Hands over what is certain already, and says from where on the text is not to be shown yet.
    ///
    /// A `patient` reader waits for everything that might turn out to be part of a secret; another one only for what looks
    /// like one by four bytes.
    pub(super) fn held(&mut self, patient: bool, book: &Book, found: &mut Found) -> usize {
        let escapes = if patient { self.escapes.held() } else { usize::MAX };
        let plain = self.plain.as_mut().map_or(usize::MAX, |plain| plain.runs.held(patient, found));
        let runs = plain.min(self.unescaped.held(patient, found));
        let packed = self.base64.held(patient, book, found).min(self.hex.held(patient, book, found));
        escapes.min(runs).min(packed)
    }
}
