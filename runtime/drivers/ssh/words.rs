//! Words for a shell of which nothing is known but that it takes single quotes.

/// Goes to the home of whoever runs a script, or as a login does to `/` where there is none.
pub const GO_HOME: &str = "cd 2>/dev/null || cd /";

/// Begins a script: one that needs programs which the host does not have ends with the name of the first.
pub fn needing(programs: &str) -> String {
    format!(
        "for needed in {programs}; do command -v \"$needed\" >/dev/null || {{ finish lacking \"$needed\"; exit; }}; done\n"
    )
}

/// The word in quotes for `sh`.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A text as one line that `printf %b` turns back into it.
pub fn one_line(text: &str) -> String {
    text.replace('\\', "\\0134").replace('\n', "\\0012").replace('\r', "\\0015")
}

#[cfg(test)]
mod tests {
    use super::{one_line, quoted};

    #[test]
    fn words_and_lines_come_back_as_they_were() {
        assert_eq!(quoted("a-b/c.d"), "a-b/c.d");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
        assert_eq!(one_line("a\\n\nb"), "a\\0134n\\0012b");
    }
}
