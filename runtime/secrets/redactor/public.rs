//! What everybody may know of a secret: that it begins with `postgres://app:`, or with `-----BEGIN RSA PRIVATE KEY-----`.
//!
//! Such a part is masked together with the rest, but a text that has nothing else in common with the secret is harmless.

use std::ops::Range;

/// The ranges of the secret that say nothing about it.
pub(super) fn ranges(secret: &str) -> Vec<Range<usize>> {
    let mut ranges = boundaries(secret);
    ranges.extend(around_password(secret));
    ranges
}

/// The first and the last line of a PEM block.
fn boundaries(secret: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in secret.split_inclusive('\n') {
        let text = line.trim();
        if ["-----BEGIN ", "-----END "].iter().any(|start| text.starts_with(start)) && text.ends_with("-----") {
            found.push(at..at + line.len());
        }
        at += line.len();
    }
    found
}

/// Of a URL the scheme and the host; where it has a password, all but that.
fn around_password(secret: &str) -> Vec<Range<usize>> {
    let is_scheme = |at: &usize| secret[..*at].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    let Some(scheme) = secret.find("://").filter(is_scheme) else { return Vec::new() };
    let authority = scheme + 3;
    let path = secret[authority..].find(['/', '?', '#']).map_or(secret.len(), |at| authority + at);
    let Some(at) = secret[authority..path].rfind('@').map(|at| authority + at) else {
        return std::iter::once(0..path).collect();
    };
    let password = secret[authority..at].find(':').map_or(at, |colon| authority + colon + 1);
    let query = secret[path..].find('?').map_or(secret.len(), |query| path + query);
    vec![0..password, at..query]
}

#[cfg(test)]
mod tests {
    use super::ranges;

    fn secret_parts(secret: &str) -> String {
        let public = ranges(secret);
        secret.char_indices().filter(|(at, _)| !public.iter().any(|range| range.contains(at))).map(|(_, c)| c).collect()
    }

    #[test]
    fn a_url_is_secret_in_its_password_or_else_in_its_path() {
        assert_eq!(secret_parts("postgres://app:p@ss@db:5432/shop"), "p@ss");
        assert_eq!(secret_parts("https://hooks.example.com/T0/B1/x?y"), "/T0/B1/x?y");
        assert_eq!(secret_parts("https://user@host/path?token=t"), "?token=t");
        assert_eq!(secret_parts("no url: a://b c"), "no url: a://b c");
    }

    #[test]
    fn the_boundaries_of_a_key_say_nothing_about_it() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n";
        assert_eq!(secret_parts(key), "MIIE\n");
    }
}
