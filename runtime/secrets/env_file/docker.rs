use super::{Assignment, Fault, Rules, is_name};
use crate::compose::dotenv;

/// `docker run --env-file`: everything after the first `=` to the end of the line, quotes and blanks included. (The source is
/// `pkg/kvfile` of the Docker command line.)
pub(super) struct Docker;

/// The longest line in bytes: one byte more does not fit into its scanner together with the line break.
const LONGEST: usize = (64 << 10) - 1;

impl Rules for Docker {
    fn program(&self) -> &'static str {
        "`docker run --env-file`"
    }

    fn read(&self, text: &str) -> Result<Vec<Assignment>, Fault> {
        if let Some(index) = text.split('\n').position(|line| line.len() > LONGEST) {
            return Err(Fault { line: index + 1, message: "the line is longer than 64 KiB".to_owned() });
        }
        // A name alone takes its value from the environment of the command, which is not known here.
        super::compose::assignments(dotenv::parse_raw(text, "", &|_| None))
    }

    fn refuses_name(&self, name: &str) -> Option<String> {
        let is_right = is_name(name, &['.', '-']);
        (!is_right).then(|| "a name has letters, digits, `_`, `.` and `-`, and does not begin with a digit".to_owned())
    }

    fn refuses_value(&self, name: &str, value: &str) -> Option<String> {
        let why = if value.contains('\n') {
            "there is one line per variable, and this value has several"
        } else if value.ends_with('\r') {
            "a carriage return at the end of a value would be lost"
        } else if name.len() + 1 + value.len() > LONGEST {
            "a line has at most 64 KiB"
        } else {
            return None;
        };
        Some(why.to_owned())
    }
}
