//! The scalar rules of go-yaml, which are those of Compose: `017` is 15, `1.10` is 1.1, `yes` stays a string, `~` is null.

use super::node::Content;

/// What an unquoted scalar means.
pub fn resolve(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Content::Null,
        "true" | "True" | "TRUE" => return Content::Bool(true),
        "false" | "False" | "FALSE" => return Content::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Content::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Content::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Content::Float(f64::NAN),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Content::Text(text.to_owned());
    }
    let digits = text.replace('_', "");
    if let Some(number) = integer(&digits) {
        return Content::Int(number);
    }
    match digits.parse::<f64>() {
        Ok(number) if is_decimal(&digits) && !is_wide_integer(&digits) => Content::Float(number),
        _ => Content::Text(text.to_owned()),
    }
}

/// A number as Go's `fmt` prints it with `%v`: the shortest digits, with an exponent from 1e+06 on.
pub fn go_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let power: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..6).contains(&power) {
        return number.to_string();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", power.abs())
}

/// Go's `ParseInt` with base 0: `0x`, `0o`, `0b`, and a leading 0 means octal.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let number = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -number } else { number }).ok()
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    unsigned.contains(|c: char| c.is_ascii_digit())
        && unsigned.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+'))
}

/// A whole number beyond 64 bits keeps its digits as text.
fn is_wide_integer(text: &str) -> bool {
    text.len() > 18 && text.strip_prefix(['-', '+']).unwrap_or(text).chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_compose() {
        for (text, meaning) in [
            ("017", Content::Int(15)),
            ("0o17", Content::Int(15)),
            ("0x1F", Content::Int(31)),
            ("1_000", Content::Int(1000)),
            ("08", Content::Float(8.0)),
            ("1.10", Content::Float(1.1)),
            ("-3", Content::Int(-3)),
            ("yes", Content::Text("yes".into())),
            ("on", Content::Text("on".into())),
            ("True", Content::Bool(true)),
            ("~", Content::Null),
            ("1.2.3", Content::Text("1.2.3".into())),
            ("127.0.0.1:80", Content::Text("127.0.0.1:80".into())),
            ("12345678901234567890", Content::Text("12345678901234567890".into())),
            ("1e3", Content::Float(1000.0)),
            ("-", Content::Text("-".into())),
        ] {
            assert_eq!(resolve(text), meaning, "{text}");
        }
    }

    #[test]
    fn floats_are_printed_as_go_prints_them() {
        for (number, text) in [(1.1, "1.1"), (8.0, "8"), (1_000_000.0, "1e+06"), (1_234_567.5, "1.2345675e+06")] {
            assert_eq!(go_float(number), text);
        }
        assert_eq!(go_float(0.00001), "1e-05");
        assert_eq!(go_float(123_456.0), "123456");
    }
}
