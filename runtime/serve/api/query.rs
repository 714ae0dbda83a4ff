//! What stands behind the question mark.

use super::routes::Field;
use crate::failure::{Failure, FailureKind};

/// The value of a key in a query: `limit` of `env=prod&limit=5`.
pub(super) fn value(query: &str, key: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name)? == key).then(|| decoded(value)).flatten().filter(|value| !value.is_empty())
    })
}

/// How many at once.
const MOST: usize = 1_000;

/// A number of things, within what is answered at once.
pub(super) fn limit(query: &str, usual: usize) -> Result<usize, Failure> {
    let Some(text) = value(query, "limit") else { return Ok(usual) };
    text.parse().ok().filter(|number| (1..=MOST).contains(number)).ok_or_else(|| {
        Failure::new(FailureKind::Argument, format!("`limit` is a number from 1 to {MOST}, and not `{text}`"))
    })
}

/// Is nothing asked but what can be? A word with a slip in it would be passed over.
pub(super) fn check(query: &str, known: &[Field]) -> Result<(), Failure> {
    let names = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next().unwrap_or(pair));
    for name in names {
        if known.iter().any(|field| decoded(name).is_some_and(|name| name == field.name)) {
            continue;
        }
        let known: Vec<String> = known.iter().map(|field| format!("`{}`", field.name)).collect();
        let hint =
            if known.is_empty() { "it takes nothing".to_owned() } else { format!("it takes {}", known.join(", ")) };
        let failure = Failure::new(FailureKind::Argument, format!("`{name}` cannot be asked here"));
        return Err(failure.hint(hint));
    }
    Ok(())
}

/// `%20` and `+` as what they stand for; none for what is no text.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        assert_eq!(value("env=prod&search=a%20b+c", "search").as_deref(), Some("a b c"));
        assert_eq!(value("env=prod", "limit"), None);
        assert_eq!(value("x=%e4", "x"), None);
        assert_eq!(value("x=%4", "x"), None);
        assert_eq!((limit("limit=7", 50).ok(), limit("x=7", 50).ok()), (Some(7), Some(50)));
        for wrong in ["limit=1001", "limit=0", "limit=-1", "limit=many"] {
            assert!(limit(wrong, 50).is_err(), "{wrong}");
        }
    }
}
