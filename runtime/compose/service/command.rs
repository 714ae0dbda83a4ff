//! Commands: a list, or a text split into words much as a shell splits them, by no shell.

use crate::compose::cursor::Cursor;
use crate::compose::node::Content;

/// `None` when it is null: the image's own command.
pub(super) fn read(cursor: &Cursor) -> Option<Vec<String>> {
    match &cursor.node.content {
        Content::Null | Content::Invalid => None,
        Content::Text(text) => match split(text) {
            Ok((words, ignored)) => {
                if !ignored.is_empty() {
                    cursor.warn(format!("`{ignored}` is ignored, because no shell runs this: use `sh -c '…'`"));
                }
                Some(words)
            }
            Err(message) => {
                cursor.error_with_hint(message, "write the command as a list");
                None
            }
        },
        Content::List(_) => Some(cursor.strings()),
        _ => cursor.expected("a string or a list"),
    }
}

/// The quoting that a character stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Quotes(char),
    /// `$(…)`, kept as text.
    Substitution,
}

/// Splits at spaces, minding quotes and backslashes. Compose stops at an operator such as `&&`; what it ignores comes second.
fn split(text: &str) -> Result<(Vec<String>, &str), String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut inside = Inside::Nothing;
    let mut ignored = "";
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (c, inside) {
            ('\\', Inside::Quotes('\'')) => word.get_or_insert_default().push(c),
            ('\\', _) => {
                let (_, next) = chars.next().ok_or("ends with a backslash")?;
                word.get_or_insert_default().push(match next {
                    't' => '\t',
                    'n' => '\n',
                    other => other,
                });
            }
            (' ' | '\t' | '\r' | '\n', Inside::Nothing) => words.extend(word.take()),
            ('\'' | '"', Inside::Nothing) => {
                inside = Inside::Quotes(c);
                word.get_or_insert_default();
            }
            ('\'' | '"', Inside::Quotes(open)) if open == c => inside = Inside::Nothing,
            ('`', Inside::Nothing) => {
                inside = Inside::Quotes(c);
                word.get_or_insert_default().push(c);
            }
            ('(', Inside::Nothing) => {
                let word = word.get_or_insert_default();
                if !word.ends_with('$') {
                    return Err("has a `(`, which only a shell understands".into());
                }
                inside = Inside::Substitution;
                word.push(c);
            }
            ('`', Inside::Quotes('`')) | (')', Inside::Substitution) => {
                inside = Inside::Nothing;
                word.get_or_insert_default().push(c);
            }
            (';' | '&' | '|' | '<' | '>', Inside::Nothing) => {
                ignored = &text[at..];
                break;
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    match inside {
        Inside::Nothing => {}
        Inside::Quotes(quote) => return Err(format!("the quote {quote} is not closed")),
        Inside::Substitution => return Err("`$(` is not closed".into()),
    }
    words.extend(word);
    Ok((words, ignored))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_command_is_split_into_words() {
        for (text, words) in [
            ("redis-server --appendonly yes", vec!["redis-server", "--appendonly", "yes"]),
            (r#"sh -c "echo 'a b' \"c\"""#, vec!["sh", "-c", r#"echo 'a b' "c""#]),
            ("a  b\n c", vec!["a", "b", "c"]),
            (r"echo 'it\s'", vec!["echo", r"it\s"]),
            ("x ''", vec!["x", ""]),
            ("echo $(a b)", vec!["echo", "$(a b)"]),
            ("", vec![]),
        ] {
            assert_eq!(split(text).unwrap().0, words, "{text}");
        }
    }

    #[test]
    fn what_needs_a_shell_is_noticed() {
        assert_eq!(split("echo 'a").unwrap_err(), "the quote ' is not closed");
        assert_eq!(split("(a)").unwrap_err(), "has a `(`, which only a shell understands");
        assert_eq!(split("a && b").unwrap(), (vec!["a".to_owned()], "&& b"));
    }
}
