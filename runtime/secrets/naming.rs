//! What a secret may be called.

use crate::failure::{Failure, FailureKind};

/// Longer names serve nobody.
const LONGEST: usize = 128;

/// A name is what a shell takes for the name of a variable: letters, digits and `_`, not beginning with a digit.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if begins && is_plain && name.len() <= LONGEST {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Argument, format!("{name:?} cannot be the name of a secret"))
        .hint("a name has letters, digits and `_`, and begins with no digit: `POSTGRES_PASSWORD`"))
}

/// The name that was most likely meant.
pub(super) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n String>) -> Option<&'n String> {
    let scored = names.into_iter().map(|near| (strsim::jaro_winkler(name, near), near));
    scored.filter(|(score, _)| *score > 0.85).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, near)| near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_shells_variables() {
        for good in ["POSTGRES_PASSWORD", "_x", "a1"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "1A", "A-B", "a b", "../x", "Ä", &"x".repeat(129)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
