//! Host patterns, as `~/.ssh/config` and `known_hosts` write them (`ssh_config(5)`, PATTERNS).

/// Does one of the patterns match, and none of those with a `!`?
pub fn matches<'a>(patterns: impl IntoIterator<Item = &'a str>, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if is_like(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= is_like(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// `*` is any text, `?` any one character; host names have no upper and lower case.
fn is_like(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if is_like(rest, name) => true,
        (Some((b'*', _)), Some((_, name))) => is_like(pattern, name),
        (Some((b'?', pattern)), Some((_, name))) => is_like(pattern, name),
        (Some((a, pattern)), Some((b, name))) => a.eq_ignore_ascii_case(b) && is_like(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_negated_pattern_wins_whatever_the_order() {
        assert!(matches(["web-*", "!web-9"], "WEB-1"));
        assert!(!matches(["web-*", "!web-9"], "web-9"));
        assert!(!matches(["!web-9"], "web-1"));
        assert!(matches(["10.0.?.*"], "10.0.7.12"));
        assert!(!matches(["10.0.?.*"], "10.0.17.12"));
        assert!(matches(["*"], "") && !matches(["?"], ""));
    }
}
