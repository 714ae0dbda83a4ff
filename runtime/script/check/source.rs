//! A text and its places: offsets, the length of the token at a place, and where a function is defined.

use super::tree::At;

/// A text with its lines.
#[derive(Clone, Debug)]
pub(super) struct Source {
    text: String,
    /// Byte offset of each line's start.
    lines: Vec<usize>,
}

impl Source {
    pub fn new(text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self { text: text.to_owned(), lines: std::iter::once(0).chain(starts).collect() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The byte offset of a place; the end of the text when there is no such place.
    pub fn offset(&self, at: At) -> usize {
        let Some(start) = at.line.checked_sub(1).and_then(|line| self.lines.get(line)) else { return self.text.len() };
        let rest = &self.text[*start..];
        let column = at.column.saturating_sub(1);
        start + rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset)
    }

    /// The place of a byte offset.
    pub fn at(&self, offset: usize) -> At {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        At { line, column: column + 1 }
    }

    /// How many characters the token at a place has; at least 1.
    pub fn token_length(&self, at: At) -> usize {
        let rest = self.text.get(self.offset(at)..).unwrap_or_default();
        let rest = rest.lines().next().unwrap_or_default();
        let Some(first) = rest.chars().next() else { return 1 };
        if matches!(first, '"' | '\'' | '`') {
            let mut escaped = false;
            let end = rest.chars().skip(1).position(|letter| {
                let ends = letter == first && !escaped;
                escaped = letter == '\\' && !escaped;
                ends
            });
            return end.map_or(rest.chars().count(), |end| end + 2);
        }
        let word = |letter: char| letter.is_alphanumeric() || letter == '_';
        if word(first) { rest.chars().take_while(|letter| word(*letter)).count() } else { 1 }
    }

    /// Where the name stands in `fn name(…) {` whose body starts at `body`; the body's start when it is not found.
    pub fn function_name(&self, name: &str, body: At) -> At {
        let before = &self.text[..self.offset(body)];
        for (offset, _) in before.rmatch_indices(name) {
            let head = before[..offset].trim_end();
            let keyword = head.ends_with("fn") && head.len() < offset;
            let open = before[offset + name.len()..].trim_start().starts_with('(');
            if keyword && open {
                return self.at(offset);
            }
        }
        body
    }

    /// The place just before a syntax error where something is missing: the end of the last code in front of it.
    pub fn end_of_code_before(&self, at: At) -> At {
        let mut end = self.offset(at).min(self.text.len());
        loop {
            let code = self.text[..end].trim_end();
            let line = code.rfind('\n').map_or(0, |newline| newline + 1);
            match code[line..]
                .find("//")
                .filter(|comment| code[line..line + comment].matches('"').count().is_multiple_of(2))
            {
                Some(comment) => end = line + comment,
                None => return self.at(code.len()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_measured_in_characters() {
        let source = Source::new("step(\"dé\\\"x\", app);\nlet größe = 1;");
        assert_eq!(source.token_length(At { line: 1, column: 1 }), 4);
        assert_eq!(source.token_length(At { line: 1, column: 6 }), 7);
        assert_eq!(source.token_length(At { line: 2, column: 5 }), 5);
        assert_eq!(source.token_length(At { line: 9, column: 5 }), 1);
    }

    #[test]
    fn the_definition_of_a_function_is_found_from_its_body() {
        let source = Source::new("roll();\nprivate fn  roll(a,\n  b) { roll(); }\n");
        let body = At { line: 3, column: 6 };
        assert_eq!(source.function_name("roll", body), At { line: 2, column: 13 });
        assert_eq!(source.function_name("other", body), body);
    }

    #[test]
    fn a_missing_semicolon_is_shown_behind_the_code_it_belongs_to() {
        let source = Source::new("let a = 1 // one\n\nlet b = 2;");
        assert_eq!(source.end_of_code_before(At { line: 3, column: 1 }), At { line: 1, column: 10 });
    }
}
