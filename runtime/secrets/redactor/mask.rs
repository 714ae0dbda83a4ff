/// What stands where a secret stood.
pub(super) const MASK: &str = "••••••";

/// Was something masked in this text?
pub fn is_masked(text: &str) -> bool {
    text.contains(MASK)
}

/// May `text` be what was recorded, where a mask stands for anything?
pub fn matches_masked(recorded: &str, text: &str) -> bool {
    if recorded == text {
        return true;
    }
    let mut parts = recorded.split(MASK);
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return false;
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_stands_for_anything_and_nothing_else_does() {
        assert!(matches_masked("a •••••• b", "a secret b"));
        assert!(matches_masked("•••••• and ••••••", "x and y"));
        assert!(!matches_masked("a •••••• b", "a secret c"));
        assert!(!matches_masked("plain", "other"));
        assert!(!matches_masked("plain", "plain and more"));
    }
}
