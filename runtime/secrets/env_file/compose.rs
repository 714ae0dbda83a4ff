use super::{Assignment, Fault, Rules, is_name};
use crate::compose::{Problem, dotenv};

/// Docker Compose v2, with the reader that loads compose files: quotes, escapes in double quotes, `$NAME` outside of single
/// quotes. (The source is `dotenv/parser.go` of compose-go.)
pub(super) struct Compose;

impl Rules for Compose {
    fn program(&self) -> &'static str {
        "Docker Compose"
    }

    fn read(&self, text: &str) -> Result<Vec<Assignment>, Fault> {
        assignments(dotenv::parse(text, ""))
    }

    fn refuses_name(&self, name: &str) -> Option<String> {
        let is_right = is_name(name, &['.', '-']);
        (!is_right).then(|| "a name has letters, digits, `_`, `.` and `-`, and does not begin with a digit".to_owned())
    }

    fn refuses_value(&self, _name: &str, _value: &str) -> Option<String> {
        None
    }
}

/// What the readers of the compose model found, in the words of this folder.
pub(super) fn assignments(found: Result<Vec<dotenv::Assignment>, Problem>) -> Result<Vec<Assignment>, Fault> {
    let found = found.map_err(|problem| Fault { line: problem.line, message: problem.message })?;
    let assignment = |found: dotenv::Assignment| Assignment {
        name: found.name,
        value: found.value,
        lines: found.line - 1..found.last_line,
    };
    Ok(found.into_iter().map(assignment).collect())
}
