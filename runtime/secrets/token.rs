//! The text that stands for a secret while a script moves it about.
//!
//! A token is made of letters of a private plane of Unicode that no text of this world uses: two that bracket it, and
//! sixteen between them, each four bits of a number that nobody outside of the run can guess. So a token keeps its shape in
//! everything a script does with strings, and the smallest piece of one that was cut is known for what it is.

use crate::failure::Failure;

/// The first letter of the block, of which each token takes its sixteen inner ones.
const FIRST: u32 = 0x0010_F7C0;
const OPEN: char = '\u{10F7D0}';
const CLOSE: char = '\u{10F7D1}';

/// How many letters stand between the brackets.
const INNER: usize = 16;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Text in which there is no secret.
    Plain(&'t str),
    /// A whole token.
    Token(&'t str),
    /// What is left of a token that was cut up or changed.
    Broken(&'t str),
}

/// The token for a number.
pub(super) fn token(number: [u8; 8]) -> String {
    let nibbles = number.into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let inner = nibbles.filter_map(|nibble| char::from_u32(FIRST + u32::from(nibble)));
    std::iter::once(OPEN).chain(inner).chain([CLOSE]).collect()
}

/// Is there a token in this text, or a piece of one?
pub fn is_in(text: &str) -> bool {
    // All of these letters begin with the same three bytes.
    text.as_bytes().windows(3).any(|bytes| bytes == [0xF4, 0x8F, 0x9F]) && text.contains(is_letter)
}

fn is_letter(c: char) -> bool {
    is_inner(c) || c == OPEN || c == CLOSE
}

fn is_inner(c: char) -> bool {
    (FIRST..FIRST + 16).contains(&u32::from(c))
}

/// Takes a text apart.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_letter) {
        let (plain, from) = rest.split_at(start);
        if !plain.is_empty() {
            found.push(Piece::Plain(plain));
        }
        let end = whole(from);
        let length = end.unwrap_or_else(|| from.chars().next().map_or(0, char::len_utf8));
        let (piece, after) = from.split_at(length);
        found.push(if end.is_some() { Piece::Token(piece) } else { Piece::Broken(piece) });
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Piece::Plain(rest));
    }
    found
}

/// The text with each whole token in it replaced; pieces of one stay what they are.
pub fn replace_tokens(text: &str, replace: &mut dyn FnMut(&str) -> Result<String, Failure>) -> Result<String, Failure> {
    let replaced = pieces(text).into_iter().map(|piece| match piece {
        Piece::Plain(same) | Piece::Broken(same) => Ok(same.to_owned()),
        Piece::Token(token) => replace(token),
    });
    replaced.collect()
}

/// How long the token is that the text begins with.
fn whole(text: &str) -> Option<usize> {
    let mut letters = text.char_indices();
    let opens = letters.next().is_some_and(|(_, c)| c == OPEN);
    let is_filled = letters.by_ref().take(INNER).filter(|(_, c)| is_inner(*c)).count() == INNER;
    let (place, last) = letters.next()?;
    (opens && is_filled && last == CLOSE).then(|| place + last.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_in_a_text() {
        let (one, two) = (token([0; 8]), token([1, 2, 3, 4, 5, 6, 7, 0xff]));
        let text = format!("{one}:{two}{one} end");
        let wanted =
            [Piece::Token(&one), Piece::Plain(":"), Piece::Token(&two), Piece::Token(&one), Piece::Plain(" end")];
        assert_eq!(pieces(&text), wanted);
        assert!(is_in(&text) && !is_in("plain text, größer, \u{10FFFF}"));
        assert_eq!(pieces(""), []);
    }

    #[test]
    fn every_piece_of_a_token_is_known() {
        let token = token([7; 8]);
        let letters: Vec<char> = token.chars().collect();
        for start in 0..letters.len() {
            for end in start + 1..=letters.len() {
                let part: String = letters[start..end].iter().collect();
                let is_whole = part == token;
                assert!(is_in(&part));
                assert!(
                    pieces(&part).iter().all(|piece| matches!(piece, Piece::Token(_)) == is_whole),
                    "{start}..{end}"
                );
                let upper = part.to_uppercase().to_lowercase();
                assert_eq!(upper, part, "case changes nothing");
            }
        }
        let backwards: String = letters.iter().rev().collect();
        assert!(pieces(&backwards).iter().all(|piece| matches!(piece, Piece::Broken(_))));
    }
}
