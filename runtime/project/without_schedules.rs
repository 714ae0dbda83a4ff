//! A project file without its schedules. A run has no use for them, there may be thousands, and reading them takes longer than all
//! else that is done before a run begins.

/// The text with empty lines where `[schedule.NAME]` and its keys were, so that every other line keeps its number; none where
/// that cannot be told from the lines alone.
pub(super) fn without_schedules(text: &str) -> Option<String> {
    // A text that goes on over several lines may look like anything.
    if text.contains("\"\"\"") || text.contains("'''") {
        return None;
    }
    let mut kept = String::new();
    let mut is_left_out = false;
    for line in text.split_inclusive('\n') {
        let begins = line.trim_start();
        if begins.starts_with('[') {
            if is_table(begins) {
                is_left_out = is_schedule(begins);
            } else if is_left_out {
                // A list that goes on here.
                return None;
            }
        }
        match is_left_out {
            false => kept.push_str(line),
            true if line.ends_with('\n') => kept.push('\n'),
            true => {}
        }
    }
    Some(kept)
}

/// Can a table begin with this line?
fn is_table(line: &str) -> bool {
    let name = line.trim_start_matches('[').trim_start();
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

/// Is it one of `[schedule.NAME]`?
fn is_schedule(line: &str) -> bool {
    let rest = line.strip_prefix('[').and_then(|name| name.trim_start().strip_prefix("schedule"));
    rest.is_some_and(|rest| rest.trim_start().starts_with('.'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::project::ProjectFile;

    /// The same in every respect but for the schedules.
    fn is_the_same(text: &str) -> Option<usize> {
        let left = without_schedules(text)?;
        let lines = |text: &str| text.matches('\n').count();
        assert_eq!(lines(&left), lines(text));
        let all = ProjectFile::parse(text, "x").unwrap_or_else(|error| panic!("{error}"));
        let some = ProjectFile::parse(&left, "x").unwrap_or_else(|error| panic!("{error}\n{left}"));
        assert!(some.schedules.is_empty(), "{left}");
        let number = all.schedules.len();
        let bare = |file: ProjectFile| format!("{:?}", ProjectFile { schedules: BTreeMap::default(), ..file });
        assert_eq!(bare(all), bare(some));
        Some(number)
    }

    #[test]
    fn nothing_else_is_left_out() {
        let own = include_str!("../../runbooks/runbook.toml");
        assert!(is_the_same(own).is_some_and(|number| number > 5));
        let text = "[schedule.a]\nrunbook = 'a'\nevery = '1h'\nat = [\n]\n\n  [ schedule . 'b' ] # [env.x]\nrunbook = '[env.x]'\n\
            [env.prod]\nlist = [\n  [1, 2],\n  [3]\n]\nschedule = '[schedule.c]'\n[schedule.c]\nmutexes = [\n  'x',\n  'y',\n]\n\
            [service]\nruns = 7";
        assert_eq!(is_the_same(text), Some(3));
        assert_eq!(is_the_same("[service]\nruns = 3\n"), Some(0));
        assert_eq!(is_the_same("[schedule.a]\nrunbook = 'a'"), Some(1));
    }

    #[test]
    fn what_cannot_be_told_from_lines_is_read_whole() {
        for text in [
            "[env.x]\ntext = \"\"\"\n[schedule.a]\n\"\"\"\n",
            "[env.x]\ntext = '''\n[schedule.a]\n'''\n",
            "[schedule.a]\nparameters = { of = [\n  [1, 2],\n] }\n[env.x]\n",
        ] {
            assert_eq!(without_schedules(text), None, "{text}");
        }
    }
}
