//! Text of others, made fit for one line of a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// One line without anything that moves the cursor: escape sequences and control characters are dropped, tabs become
/// spaces, and of a line that was overwritten with carriage returns the last state stays.
pub(super) fn clean(text: &str) -> String {
    let text = text.trim_end_matches(['\r', '\n']);
    let last = text.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
    let mut out = String::with_capacity(last.len());
    let mut chars = last.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => skip_escape(&mut chars),
            '\t' => out.push_str("    "),
            '\n' => out.push(' '),
            // Characters that reorder what follows would let a log line show what it does not say.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Like [`clean`], line by line.
pub(super) fn clean_lines(text: &str) -> String {
    text.trim_end().split('\n').map(|line| clean(line).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The text cut to so many columns, with `mark` at the end when something was cut.
pub(super) fn cut(text: &str, limit: usize, mark: &str) -> String {
    if columns(text) <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(columns(mark));
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    if columns(mark) <= limit {
        out.push_str(mark);
    }
    out
}

/// Skips what follows an ESC: a CSI up to its final byte, an OSC up to BEL or ST, or the one character of a short one.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        Some(']' | 'P' | '_' | '^' | 'X') => {
            while let Some(c) = chars.next() {
                if c == '\x07' || (c == '\x1b' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        Some('(' | ')' | '#') => drop(chars.next()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_lines, columns, cut};

    #[test]
    fn a_log_line_cannot_move_the_cursor() {
        assert_eq!(clean("\x1b[2J\x1b[1;31mred\x1b[0m\x07 \x1b]0;title\x07end"), "red end");
        assert_eq!(clean("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"), "link");
        assert_eq!(clean("10%\r50%\r100%\r\n"), "100%");
        assert_eq!(clean("a\tb"), "a    b");
        assert_eq!(clean("user\u{202e}txt.exe"), "usertxt.exe");
        assert_eq!(clean_lines("one  \n\x1b[1mtwo\x1b[0m\n\n"), "one\ntwo");
    }

    #[test]
    fn a_cut_text_never_takes_more_columns_than_it_may() {
        assert_eq!(cut("deploy", 6, "…"), "deploy");
        assert_eq!(cut("deployment", 6, "…"), "deplo…");
        assert_eq!(cut("deployment", 6, "..."), "dep...");
        assert_eq!(cut("数据库迁移", 6, "…"), "数据…");
        assert_eq!(cut("abc", 0, "…"), "");
        for limit in 0..12 {
            assert!(columns(&cut("a数b据c库", limit, "…")) <= limit);
        }
    }
}
