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
