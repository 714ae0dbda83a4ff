//! Finds the secrets in a text, however they are encoded, and masks them.
//!
//! A secret that was learned is no list of its encoded forms here. The text is decoded instead, as it goes by: a [`View`] looks at it
//! as it is, with its escapes taken off ([`escapes`]), and through everything in it that may be base64 or hexadecimal ([`packed`]) at
//! another view, and so on. Each view compares what it sees with the secrets ([`runs`]) and reports where in the outermost text a
//! part of one stands. So chains of encodings are found that nobody listed, and learning a secret costs next to nothing.
//!
//! What counts as a part of a secret is in [`form`], what may stand between its bytes in [`bytes`].
//!
//! [`View`]: view::View

mod book;
mod bytes;
mod escapes;
mod form;
mod found;
mod mask;
mod packed;
mod public;
mod runs;
mod stream;
mod view;

use std::sync::{Arc, RwLock};

pub use mask::{is_masked, matches_masked};
pub use stream::Stream;

use book::Book;
use mask::MASK;

/// The choke point through which everything passes on its way out of the process: it masks every secret it was told of.
#[derive(Default)]
pub struct Redactor {
    book: RwLock<Arc<Book>>,
}

impl Redactor {
    /// Masks this text from now on: all of it, each of its lines, and any ten characters of it in a row. What is shorter than
    /// four characters is not masked: it stands in too many texts that are none of its business.
    pub fn learn(&self, secret: &str) {
        if self.book.read().is_ok_and(|book| book.knows(secret)) {
            return;
        }
        if let Ok(mut book) = self.book.write() {
            Arc::make_mut(&mut book).learn(secret);
        }
    }

    /// Is there anything to mask?
    pub fn is_idle(&self) -> bool {
        self.book.read().is_ok_and(|book| book.is_empty())
    }

    /// Masks every secret in the text; says whether there was one.
    pub fn redact(&self, text: &mut String) -> bool {
        let Ok(book) = self.book.read().map(|book| book.clone()) else {
            MASK.clone_into(text);
            return true;
        };
        if book.is_empty() {
            return false;
        }
        let masked = Stream::masked(book, text);
        let found = masked.is_some();
        if let Some(masked) = masked {
            *text = masked;
        }
        found
    }

    /// Masks the secrets known by now in bytes that come in pieces.
    pub fn stream(&self) -> Stream {
        let book = self.book.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Stream::new(book.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_secret_is_masked_before_one_it_contains() {
        let redactor = Redactor::default();
        redactor.learn("hunter");
        redactor.learn("hunter22-long");
        let mut text = "a hunter22-long b hunter c".to_owned();
        redactor.redact(&mut text);
        assert_eq!(text, "a •••••• b •••••• c");
    }
}
