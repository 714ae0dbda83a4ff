//! What stands behind the question mark.

/// The value of a key in a query: `limit` of `env=prod&limit=5`.
pub(super) fn value(query: &str, key: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name)? == key).then(|| decoded(value)).flatten().filter(|value| !value.is_empty())
    })
}

/// A number of things, within what is answered at once.
pub(super) fn limit(query: &str, usual: usize) -> usize {
    value(query, "limit").and_then(|text| text.parse().ok()).unwrap_or(usual).clamp(1, 1_000)
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
        assert_eq!(limit("limit=999999", 50), 1_000);
    }
}
