use std::sync::Arc;

use super::book::Book;
use super::found::Found;
use super::mask::MASK;
use super::view::View;

/// Masks secrets in bytes that come in pieces: no more is held back than what may turn out to be part of a secret.
pub struct Stream {
    book: Arc<Book>,
    view: View,
    found: Found,
    /// What came in and is not written yet, and where in the whole stream it begins.
    held: Vec<u8>,
    begin: usize,
    /// Where the last mask that was written ends.
    masked: Option<usize>,
}

impl Stream {
    pub(super) fn new(book: Arc<Book>) -> Self {
        Self { book, view: View::new(0), found: Found::default(), held: Vec::new(), begin: 0, masked: None }
    }

    /// Takes the next bytes, and appends to `out` what can be shown by now.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.read(bytes);
        let certain = self.view.held(true, &self.book, &mut self.found);
        self.write(certain, out);
    }

    /// Appends what was held back for less than four bytes of a secret: a reader waits, and the next bytes may be long in coming.
    pub fn pause(&mut self, out: &mut Vec<u8>) {
        let certain = self.view.held(false, &self.book, &mut self.found);
        self.write(certain, out);
    }

    /// Appends all the rest.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.view.rest(&self.book, &mut self.found);
        self.write(usize::MAX, out);
    }

    /// The whole text with its secrets masked; none when it has none.
    pub(super) fn masked(book: Arc<Book>, text: &str) -> Option<String> {
        let mut stream = Self::new(book);
        stream.read(text.as_bytes());
        stream.view.rest(&stream.book, &mut stream.found);
        if stream.found.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(text.len());
        stream.write(usize::MAX, &mut out);
        Some(String::from_utf8_lossy(&out).into_owned())
    }

    fn read(&mut self, bytes: &[u8]) {
        let from = self.begin + self.held.len();
        self.held.extend_from_slice(bytes);
        self.view.read(bytes, from, &self.book, &mut self.found);
    }

    /// Writes the bytes before `certain`, as far as they are not written yet: a reader who did not wait has seen more.
    fn write(&mut self, certain: usize, out: &mut Vec<u8>) {
        let certain = self.character_at(certain.min(self.begin + self.held.len())).max(self.begin);
        let mut at = self.begin;
        for range in self.found.take() {
            let (start, end) = (self.character_at(range.start).max(at), self.character_after(range.end));
            if end > certain {
                self.found.add(certain.max(start)..end);
            }
            let end = end.min(certain);
            if start >= end {
                continue;
            }
            out.extend_from_slice(&self.held[at - self.begin..start - self.begin]);
            if self.masked != Some(start) {
                out.extend_from_slice(MASK.as_bytes());
            }
            at = end;
            self.masked = Some(end);
        }
        if at < certain {
            out.extend_from_slice(&self.held[at - self.begin..certain - self.begin]);
        }
        self.held.drain(..certain - self.begin);
        self.begin = certain;
    }

    /// Where the character begins that this place is in.
    fn character_at(&self, place: usize) -> usize {
        let is_inside = |back: usize| self.is_later_byte(place.checked_sub(back));
        place - (0..3).take_while(|back| is_inside(*back)).count()
    }

    /// Where the character ends that this place is in.
    fn character_after(&self, place: usize) -> usize {
        place + (0..3).take_while(|ahead| self.is_later_byte(Some(place + ahead))).count()
    }

    /// Is this a byte of a character in UTF-8, but not its first?
    fn is_later_byte(&self, place: Option<usize>) -> bool {
        let held = place.and_then(|place| self.held.get(place.checked_sub(self.begin)?));
        held.is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000)
    }
}
