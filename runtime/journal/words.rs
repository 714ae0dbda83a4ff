//! What `logs --search` looks for.
//!
//! The index knows which line holds which word, and nothing about order, so that it stays small. It narrows the lines
//! down; whatever is more than plain words (`GET /health`, `10.0.0.1`, a quoted phrase) is compared with the lines it finds.

/// A parsed search: every term must occur.
#[derive(Debug)]
pub(super) struct Words {
    index_query: Option<String>,
    /// Terms the index cannot decide, in lower case.
    compared: Vec<String>,
    /// All terms, in lower case.
    terms: Vec<String>,
}

impl Words {
    /// Parses words, beginnings like `time*`, and `"quoted phrases"`.
    pub(super) fn parse(text: &str) -> Self {
        let (mut indexed, mut compared, mut terms) = (Vec::new(), Vec::new(), Vec::new());
        for term in split(text) {
            let (stem, star) = term.strip_suffix('*').map_or((term.as_str(), ""), |stem| (stem, "*"));
            let is_separator = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric();
            let parts: Vec<&str> =
                stem.split(is_separator).filter(|part| part.chars().any(char::is_alphanumeric)).collect();
            let last = parts.len().saturating_sub(1);
            indexed.extend(parts.iter().enumerate().map(|(place, part)| {
                format!("\"{part}\"{}", if place == last && stem.ends_with(part) { star } else { "" })
            }));
            if parts != [stem] {
                compared.push(stem.to_lowercase());
            }
            terms.push(stem.to_lowercase());
        }
        Self { index_query: (!indexed.is_empty()).then(|| indexed.join(" AND ")), compared, terms }
    }

    /// What to ask the index; `None` when it cannot help.
    pub(super) fn index_query(&self) -> Option<&str> {
        self.index_query.as_deref()
    }

    /// Compares every term with the lines from now on.
    pub(super) fn forget_index(&mut self) {
        self.index_query = None;
        self.compared.clone_from(&self.terms);
    }

    /// Do the terms that the index cannot decide occur in the line?
    pub(super) fn occur_in(&self, line: &str) -> bool {
        if self.compared.is_empty() {
            return true;
        }
        let line = line.to_lowercase();
        self.compared.iter().all(|term| line.contains(term))
    }
}

/// Splits at spaces outside double quotes; an unclosed quote reaches to the end.
fn split(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    for (place, part) in text.split('"').enumerate() {
        if place % 2 == 1 {
            terms.push(part.trim().to_owned());
        } else {
            terms.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    terms.retain(|term| !term.is_empty() && term != "*");
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_left_to_the_index() {
        let words = Words::parse("connection refused time*");
        assert_eq!(words.index_query(), Some("\"connection\" AND \"refused\" AND \"time\"*"));
        assert!(words.compared.is_empty());
    }

    #[test]
    fn phrases_and_signs_are_compared_with_the_lines_the_index_finds() {
        let words = Words::parse("\"connection refused\" 10.0.0.1");
        assert_eq!(
            words.index_query(),
            Some("\"connection\" AND \"refused\" AND \"10\" AND \"0\" AND \"0\" AND \"1\"")
        );
        assert!(words.occur_in("10.0.0.1: Connection refused"));
        assert!(!words.occur_in("10.0.0.1: refused connection"));
    }

    #[test]
    fn signs_alone_do_not_reach_the_index() {
        let words = Words::parse("=> \"");
        assert_eq!(words.index_query(), None);
        assert!(words.occur_in("a => b"));
        assert!(!words.occur_in("a = b"));
    }
}
