//! Where the output of a script begins and ends in what a channel brings.
//!
//! A login shell may print what it likes before the script begins, and a connection that is cut looks like one that ended:
//! only what stands between two marks that nobody can guess is the script's, and only with the second one has it ended.

/// The most that is kept of what came before the script.
const MOST_NOISE: usize = 4 << 10;

/// A pair of marks.
#[derive(Clone, Debug)]
pub struct Marks {
    nonce: String,
}

impl Marks {
    /// Marks that no other script has. They are no secret, so what makes them unlike others is enough.
    pub fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        let number = || RandomState::new().hash_one(std::process::id());
        Self { nonce: format!("{:016x}{:016x}", number(), number()) }
    }

    /// What makes them unlike others.
    pub fn word(&self) -> &str {
        &self.nonce
    }

    /// A command of `sh` that prints the first mark.
    pub fn begin(&self) -> String {
        format!("printf '\\036%s{{' {}", self.nonce)
    }

    fn opening(&self) -> Vec<u8> {
        format!("\x1e{}{{", self.nonce).into_bytes()
    }

    fn closing(&self) -> Vec<u8> {
        format!("\x1e{}}}", self.nonce).into_bytes()
    }
}

/// Takes the script's own output out of a stream.
pub struct Between {
    opening: Vec<u8>,
    closing: Vec<u8>,
    held: Vec<u8>,
    has_begun: bool,
    end: Option<Vec<u8>>,
}

impl Between {
    /// Nothing has come so far.
    pub fn new(marks: &Marks) -> Self {
        Self { opening: marks.opening(), closing: marks.closing(), held: Vec::new(), has_begun: false, end: None }
    }

    /// Adds a piece, and returns what of the script's own output is certain now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        if let Some(end) = &mut self.end {
            end.extend_from_slice(piece);
            return Vec::new();
        }
        self.held.extend_from_slice(piece);
        if !self.has_begun {
            let Some(start) = find(&self.held, &self.opening) else {
                let excess = self.held.len().saturating_sub(MOST_NOISE);
                self.held.drain(..excess);
                return Vec::new();
            };
            self.has_begun = true;
            self.held.drain(..start + self.opening.len());
        }
        if let Some(start) = find(&self.held, &self.closing) {
            self.end = Some(self.held.split_off(start + self.closing.len()));
            self.held.truncate(start);
            return std::mem::take(&mut self.held);
        }
        let certain = self.held.len() - beginning_at_the_end(&self.held, &self.closing);
        let rest = self.held.split_off(certain);
        std::mem::replace(&mut self.held, rest)
    }

    /// Has the script begun?
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The words of the last mark, once it is there as a whole.
    pub fn end(&self) -> Option<&str> {
        let end = self.end.as_ref()?;
        let stop = end.iter().position(|byte| *byte == 0x1e)?;
        std::str::from_utf8(&end[..stop]).ok()
    }

    /// What was printed where a script should have begun.
    pub fn noise(&self) -> String {
        if self.has_begun { String::new() } else { String::from_utf8_lossy(&self.held).trim().to_owned() }
    }
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

/// How much at the end of the text may be the beginning of the word.
fn beginning_at_the_end(text: &[u8], word: &[u8]) -> usize {
    let longest = text.len().min(word.len() - 1);
    (1..=longest).rev().find(|length| word.starts_with(&text[text.len() - length..])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_counts_however_it_is_cut() {
        let marks = Marks { nonce: "abc".into() };
        let all = b"Welcome!\n\x1eabc{one \x1eab two\x1eabc}0 12\x1e";
        for size in 1..all.len() {
            let mut between = Between::new(&marks);
            let text: Vec<u8> = all.chunks(size).flat_map(|piece| between.push(piece)).collect();
            assert_eq!(String::from_utf8_lossy(&text), "one \x1eab two", "{size}");
            assert_eq!(between.end(), Some("0 12"));
        }
    }

    #[test]
    fn without_the_last_mark_nothing_has_ended() {
        let marks = Marks { nonce: "abc".into() };
        let mut between = Between::new(&marks);
        assert_eq!(between.push(b"no shell for you\n"), b"");
        assert_eq!((between.has_begun(), between.noise().as_str()), (false, "no shell for you"));
        assert_eq!(between.push(b"\x1eabc{text"), b"text");
        assert_eq!(between.push(b"\x1eabc}0"), b"");
        assert_eq!(between.end(), None);
    }
}
