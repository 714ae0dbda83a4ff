//! A project file without its schedules. A run has no use for them, there may be thousands, and reading them takes longer than all
//! else that is done before a run begins.

/// The text without `[schedule.NAME]` and what belongs to it; none for one that is no TOML. Lines have other numbers then: mistakes
/// are looked for in the whole text.
pub(super) fn without_schedules(text: &str) -> Option<String> {
    let mut kept = String::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut is_left_out = false;
    while !rest.is_empty() {
        let (statement, behind) = rest.split_at(length_of_statement(rest.as_bytes())?);
        if let Some(table) = statement.trim_start().strip_prefix('[') {
            is_left_out = is_schedule(table);
        }
        if !is_left_out {
            kept.push_str(statement);
        }
        rest = behind;
    }
    Some(kept)
}

/// Is it one of `[schedule.NAME]`? What else can be written so is kept: it is rare.
fn is_schedule(table: &str) -> bool {
    table.trim_start().strip_prefix("schedule").is_some_and(|rest| rest.trim_start().starts_with('.'))
}

/// How long the table's head, the key with its value, the comment or the empty line is that the text begins with: it ends with the
/// first line that ends outside of texts and brackets.
fn length_of_statement(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = text.get(at) {
        at += match byte {
            b'\n' if depth == 0 => return Some(at + 1),
            b'#' => text[at..].iter().position(|byte| *byte == b'\n').unwrap_or(text.len() - at),
            b'"' | b'\'' => length_of_string(&text[at..])?,
            b'[' | b'{' => {
                depth += 1;
                1
            }
            b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                1
            }
            _ => 1,
        };
    }
    (depth == 0).then_some(at)
}

/// How long the quoted text is that this begins with.
fn length_of_string(text: &[u8]) -> Option<usize> {
    let quote = *text.first()?;
    let opening = text.iter().take(3).take_while(|byte| **byte == quote).count();
    if opening == 2 {
        return Some(2);
    }
    let mut at = opening;
    while !text.get(at..at + opening)?.iter().all(|byte| *byte == quote) {
        at += match text[at] {
            b'\n' if opening == 1 => return None,
            b'\\' if quote == b'"' => 2,
            _ => 1,
        };
    }
    // Up to two quotes may stand before the three that end it.
    let more = if opening == 3 { text[at + 3..].iter().take(2).take_while(|byte| **byte == quote).count() } else { 0 };
    Some(at + opening + more)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::project::ProjectFile;

    /// The same in every respect but for the schedules, of which there are so many.
    fn is_the_same(text: &str) -> usize {
        let left = without_schedules(text).unwrap_or_else(|| panic!("{text}"));
        let all = ProjectFile::parse(text, "x").unwrap_or_else(|error| panic!("{error}"));
        let some = ProjectFile::parse(&left, "x").unwrap_or_else(|error| panic!("{error}\n{left}"));
        assert!(some.schedules.is_empty(), "{left}");
        let number = all.schedules.len();
        let bare = |file: ProjectFile| format!("{:?}", ProjectFile { schedules: BTreeMap::default(), ..file });
        assert_eq!(bare(all), bare(some));
        number
    }

    #[test]
    fn nothing_else_is_left_out() {
        assert!(is_the_same(include_str!("../../runbooks/runbook.toml")) > 5);
        let text = "[schedule.a]\nrunbook = 'a'\nevery = '1h'\nat = [\n]\n\n  [ schedule . 'b' ] # [env.x]\nrunbook = '[env.x]'\n\
            [env.prod]\nlist = [\n  [1, 2],\n  [3]\n]\nschedule = '[schedule.c]'\n[schedule.c]\nmutexes = [\n  'x',\n  'y',\n]\n\
            [service]\nruns = 7";
        assert_eq!(is_the_same(text), 3);
        assert_eq!(is_the_same("[service]\nruns = 3\n"), 0);
        assert_eq!(is_the_same("[schedule.a]\nrunbook = 'a'"), 1);
        assert_eq!(is_the_same("\u{feff}[schedule.a]\r\nrunbook = 'a'\r\n[service]\r\nruns = 7\r\n"), 1);
    }

    #[test]
    fn what_looks_like_a_table_inside_of_a_value_is_none() {
        for (text, number) in [
            ("[env.x]\ntext = \"\"\"\n[schedule.a]\n\"\"\"\n[schedule.b]\nrunbook = \"\"\"\n[env.y]\n\"\"\"", 1),
            ("[env.x]\ntext = '''\n[schedule.a]\n'''\nmore = ''''[schedule.a]\n\\''''' # '\n[schedule.\"[a\"]\n", 1),
            (
                "[env.x]\ntext = \"\"\"\\\"\"\"\n[schedule.a]\n\\\\\"\"\"\"\"\n[schedule.b]\n[schedule.b.parameters]\na = \"\\\"[\"\n",
                1,
            ),
            (
                "[schedule.a]\nparameters = { of = [\n  [1, 2], # ]\n  [3],\n] }\n[env.x]\nempty = ['', \"\", '''''', \"\"\"\"\"\"]\n",
                1,
            ),
        ] {
            assert_eq!(is_the_same(text), number, "{text}");
        }
    }

    #[test]
    fn mistakes_elsewhere_have_their_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let message = |text: &str, load: fn(&std::path::Path) -> Result<ProjectFile, crate::failure::Failure>| {
            std::fs::write(folder.path().join(crate::project::PROJECT_FILE), text).unwrap();
            load(folder.path()).map(|_| ()).unwrap_err().to_string()
        };
        for text in [
            "[schedule.a]\nrunbook = 'a'\n\n[service]\nruns = 'many'\n",
            "[schedule.a]\n[service]\nruns = = 1\n",
            "[schedule.a]\n['",
        ] {
            let whole = message(text, ProjectFile::load);
            assert!(whole.starts_with("runbook.toml:"), "{whole}");
            assert_eq!(message(text, ProjectFile::load_without_schedules), whole);
        }
        let mistaken = "[schedule.a]\nruns = 7\n";
        assert!(message(mistaken, ProjectFile::load).starts_with("runbook.toml:2:1: "));
        assert!(ProjectFile::load_without_schedules(folder.path()).is_ok());
    }

    #[test]
    fn what_is_no_toml_is_read_whole() {
        for text in ["[env.x]\na = 'b\n[schedule.a]\n'", "[env.x]\na = ]\n", "a = \"\"\"\"\"", "a = [", "a = \"\\\""] {
            assert_eq!(without_schedules(text), None, "{text}");
        }
    }
}
