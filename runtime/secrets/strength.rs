//! How good a value is as a secret, told by its text alone.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

/// What people leave behind where a value should have gone.
#[allow(clippy::expect_used)] // a literal that every test run compiles
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)^(change[-_ ]?(me|this|it)|todo|fixme|tbd|placeholder|replace[-_ ]?(me|this)|fill[-_ ]?(me[-_ ]?)?in|dummy|",
        r"example|sample|\.{3}|x{3,}|\*{3,}|•+|…)$|^(your|my)[-_ ].+|^<.*>$|^\{\{.*\}\}$|^\$\{.*\}$|x{4,}$|",
        r"change[-_]?me|^(insert|enter|put)[-_ ].*here$"
    ))
    .expect("a valid expression")
});

/// Was this never filled in: `changeme`, `<token>`, `your-api-key`, `sk-xxxxx`?
pub fn is_placeholder(value: &str) -> bool {
    PLACEHOLDER.is_match(value.trim())
}

/// The shortest repetition that counts, in bits: no two parts of a random value are the same over so many, but for one in
/// a million values.
const REPEATED: f64 = 32.0;

/// So many characters are looked at; what they hold is enough for any rule.
const COUNTED: usize = 1024;

/// How many bits a text holds at most that its reader cannot guess.
///
/// A character counts as much as one drawn from the smallest common set that has them all: digits, hexadecimal digits,
/// letters, and so on. What repeats an earlier part, and what goes on counting (`abcdef`), counts hardly at all. Words are
/// not looked up: of a sentence this is far too much, so it finds weak values and proves none strong.
pub fn entropy_bits(text: &str) -> f64 {
    let codes: Vec<u32> = text.chars().take(COUNTED).map(u32::from).collect();
    let steps: Vec<u32> =
        codes.iter().scan(0, |last, code| Some(code.wrapping_sub(std::mem::replace(last, *code)))).collect();
    let each = set_size(text).log2();
    bits(&codes, each).min(bits(&steps, each))
}

/// The size of the smallest set that such a text is drawn from.
fn set_size(text: &str) -> f64 {
    let has = |of: fn(char) -> bool| text.chars().any(of);
    let only = |of: fn(char) -> bool| text.chars().all(of);
    let is_lower_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    let is_upper_hex = |c: char| matches!(c, '0'..='9' | 'A'..='F');
    if only(|c| c.is_ascii_digit()) {
        return 10.0;
    }
    if has(|c| c.is_ascii_digit()) && (only(is_lower_hex) || only(is_upper_hex)) {
        return 16.0;
    }
    let sets = [
        (has(|c| c.is_ascii_lowercase()), 26.0),
        (has(|c| c.is_ascii_uppercase()), 26.0),
        (has(|c| c.is_ascii_digit()), 10.0),
        (has(|c| !c.is_ascii()), 100.0),
    ];
    let common: f64 = sets.into_iter().filter(|(is_used, _)| *is_used).map(|(_, size)| size).sum();
    let signs: BTreeSet<char> = text.chars().filter(|c| c.is_ascii() && !c.is_ascii_alphanumeric()).collect();
    match signs.len() {
        0 => common,
        // The two of base64, or a separator.
        1 | 2 => common + 2.0,
        _ => common + 33.0,
    }
}

/// What symbols of so many bits each hold, where a part that was there before only costs saying where and how long.
fn bits(symbols: &[u32], each: f64) -> f64 {
    let (mut at, mut bits) = (0, 0.0);
    while at < symbols.len() {
        let length = (0..at).map(|from| repeated(symbols, from, at)).max().unwrap_or_default();
        if as_number(length) * each >= REPEATED {
            bits += as_number(at + 1).log2() + as_number(length).log2();
            at += length;
        } else {
            bits += each;
            at += 1;
        }
    }
    bits
}

/// How many symbols from `at` on are those from `from` on, which may run into them.
fn repeated(symbols: &[u32], from: usize, at: usize) -> usize {
    symbols[at..].iter().zip(&symbols[from..]).take_while(|(one, other)| one == other).count()
}

#[allow(clippy::cast_precision_loss)] // lengths of texts
fn as_number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_values() {
        for left in [
            "changeme",
            "CHANGE_ME",
            "your-64-char-hex-secret",
            "sk-ant-xxxxx",
            "<token>",
            "...",
            "xxx",
            "todo",
            "example",
            "${DB_PASSWORD}",
            "••••••",
            "********",
            "fill_me_in",
            " changeme ",
        ] {
            assert!(is_placeholder(left), "{left}");
        }
        for real in [
            "s3cr3t-value",
            "postgres",
            "exchange",
            "9f2c1d",
            "redis://redis:6379/0",
            "mytoken",
            "INFO",
            "",
            "examples",
        ] {
            assert!(!is_placeholder(real), "{real}");
        }
    }

    #[test]
    fn what_a_generator_makes_has_the_bits_it_was_made_of() {
        for (value, least) in [
            ("9f86d081884c7d659a2feaa0c55ad015", 128.0),
            ("9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08", 256.0),
            ("3q2+7wAbCdEfZ81hGk5mQxT0vN4sLpYrJiUoWeHf/Bc=", 256.0),
            ("kX9vTq2LmR8wZb4N", 95.0),
        ] {
            assert!(entropy_bits(value) >= least, "{value}: {}", entropy_bits(value));
        }
    }

    #[test]
    fn repetition_and_counting_add_next_to_nothing() {
        for (value, most) in [
            ("", 0.0),
            ("a", 5.0),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 16.0),
            ("abababababababababababababababab", 20.0),
            ("passwordpasswordpasswordpassword", 50.0),
            ("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 40.0),
            ("0123456789012345678901234567890123456789", 50.0),
            ("1234", 14.0),
            ("password", 38.0),
        ] {
            assert!(entropy_bits(value) <= most, "{value}: {}", entropy_bits(value));
        }
    }
}
