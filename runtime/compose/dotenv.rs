//! Environment files in the dialect of Compose, which differs from a shell's and from `docker run --env-file`.
//!
//! `NAME=value`, `NAME: value` and `export NAME=value`; a bare `NAME` takes its value from outside. Double quotes know escapes and variables,
//! unquoted values know variables and end at ` #`, single quotes know neither. Quoted values may span lines.

use super::interpolate::{Fault, substitute};
use super::problem::Problem;

/// The largest value, which is more than an operating system hands to a process.
const VALUE_LIMIT: usize = 1 << 20;

/// What to do about a `$` that was meant as one.
const IN_QUOTES: &str = "put the value in single quotes, or write `$$` for `$`";

/// What is skipped around a name and before a value: the blanks of Unicode's first 256 characters.
const BLANKS: [char; 7] = [' ', '\t', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{a0}'];

/// One variable of an environment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The name.
    pub name: String,
    /// The value, with quotes, escapes and variables resolved.
    pub value: String,
    /// The line its name stands on, counted from 1.
    pub line: usize,
    /// The line its value ends on.
    pub last_line: usize,
}

/// The variables of an environment file in their order; a name may come twice, and then the last one counts.
///
/// Values refer to variables set earlier in the file. `file` is the name that problems show.
pub fn parse(text: &str, file: &str) -> Result<Vec<Assignment>, Problem> {
    parse_with(text, file, &|_| None)
}

/// Like [`parse`], where a variable that no line before sets is a mistake, and does not stand for nothing.
pub fn parse_closed(text: &str, file: &str) -> Result<Vec<Assignment>, Problem> {
    read(text, file, &|_| None, true)
}

/// Like [`parse`], where values and bare names also refer to variables from outside, which win over those of the file.
pub fn parse_with(
    text: &str,
    file: &str,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Assignment>, Problem> {
    read(text, file, outside, false)
}

fn read(
    text: &str,
    file: &str,
    outside: &dyn Fn(&str) -> Option<String>,
    is_closed: bool,
) -> Result<Vec<Assignment>, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { rest: text, line: 1, file, outside, is_closed, found: Vec::new() };
    while reader.skip_blank() {
        reader.assignment()?;
    }
    Ok(reader.found)
}

/// `NAME=value` to the end of the line, nothing replaced and no quote removed: the dialect of `docker run --env-file`, and of `format: raw`.
/// A bare `NAME` takes its value from outside.
pub fn parse_raw(text: &str, file: &str, outside: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Assignment>, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let (name, value) = match content.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (content.trim_end(), outside(content.trim_end())),
        };
        let wrong = |message: String| Err(Problem::new(file, index + 1, 0, message).hint("write NAME=value"));
        if name.is_empty() {
            return wrong("a name is missing before `=`".to_owned());
        }
        if name.contains(char::is_whitespace) {
            return wrong(format!("the name `{name}` contains a space"));
        }
        let line = index + 1;
        found.extend(value.map(|value| Assignment { name: name.to_owned(), value, line, last_line: line }));
    }
    Ok(found)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    file: &'a str,
    outside: &'a dyn Fn(&str) -> Option<String>,
    /// Is a variable that nothing sets a mistake?
    is_closed: bool,
    found: Vec<Assignment>,
}

impl Reader<'_> {
    /// Moves to the next name; false at the end.
    fn skip_blank(&mut self) -> bool {
        loop {
            let blank = self.rest.len() - self.rest.trim_start().len();
            self.advance(blank);
            if !self.rest.starts_with('#') {
                return !self.rest.is_empty();
            }
            self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn assignment(&mut self) -> Result<(), Problem> {
        if let Some(after) = self.rest.strip_prefix("export").filter(|after| after.starts_with([' ', '\t'])) {
            self.advance(self.rest.len() - after.trim_start_matches([' ', '\t']).len());
        }
        let line = self.line;
        let end = self.rest.find(['=', ':', '\n']).unwrap_or(self.rest.len());
        let name = self.rest[..end].trim_end_matches(BLANKS);
        self.check_name(name)?;
        let name = name.to_owned();
        if self.rest[end..].is_empty() || self.rest[end..].starts_with('\n') {
            self.advance(end);
            if let Some(value) = (self.outside)(&name) {
                self.found.push(Assignment { name, value, line, last_line: line });
            }
            return Ok(());
        }
        self.advance(end + 1);
        self.advance(self.rest.len() - self.rest.trim_start_matches(BLANKS).len());
        let value = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.unquoted()?,
        };
        self.found.push(Assignment { name, value, line, last_line: self.line });
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<(), Problem> {
        if name.is_empty() {
            return Err(self.problem("a name is missing before `=`"));
        }
        if name.contains([' ', '\t']) {
            return Err(self.problem(format!("the name `{name}` contains a space")).hint("write NAME=value"));
        }
        match name.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '_' | '.' | '-' | '[' | ']')) {
            Some(c) => Err(self.problem(format!("unexpected character `{c}` in the name `{name}`"))),
            None => Ok(()),
        }
    }

    fn unquoted(&mut self) -> Result<String, Problem> {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        let value = line.split_once(" #").map_or(line, |(value, _)| value).trim_end();
        let value = self.substitute(value)?;
        self.advance(end);
        Ok(value)
    }

    fn quoted(&mut self, quote: char) -> Result<String, Problem> {
        let mut value = String::new();
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if c == quote && !escaped {
                if quote == '"' {
                    value = self.substitute(&unescape(&value))?;
                }
                self.advance(at + 1);
                return self.end_of_line().map(|()| value);
            }
            if c == '\\' && !escaped {
                escaped = true;
                continue;
            }
            if escaped && c != quote {
                value.push('\\');
            }
            escaped = false;
            value.push(c);
        }
        Err(self
            .problem(format!("the value that begins with {quote} has no end"))
            .hint(format!("close it with {quote}")))
    }

    /// After a closing quote there is nothing but a comment: Compose would take the rest for a variable's name.
    fn end_of_line(&self) -> Result<(), Problem> {
        let rest = self.rest.lines().next().unwrap_or_default().trim();
        if rest.is_empty() || rest.starts_with('#') {
            return Ok(());
        }
        Err(self.problem(format!("unexpected `{rest}` after the closing quote")))
    }

    fn substitute(&self, value: &str) -> Result<String, Problem> {
        let lookup = |name: &str| {
            (self.outside)(name).or_else(|| {
                self.found.iter().rev().find(|assignment| assignment.name == name).map(|found| found.value.clone())
            })
        };
        let mut is_lost = false;
        let value = substitute(value, &lookup, &mut |_| is_lost = true).map_err(|fault| match fault {
            Fault::Required { variable, message } => {
                self.problem(format!("the variable `{variable}` is required and has no value: {message}"))
            }
            // What is taken over as a secret is not shown.
            Fault::Malformed { .. } if self.is_closed => {
                self.problem("a `${` of the value begins no variable").hint(IN_QUOTES)
            }
            Fault::Malformed { at } => self.problem(format!("`{at}` is not a variable")).hint(IN_QUOTES),
        })?;
        if is_lost && self.is_closed {
            let message =
                "a `$` of the value stands for a variable that no line before sets: what follows it would be lost";
            return Err(self.problem(message).hint(IN_QUOTES));
        }
        if value.len() > VALUE_LIMIT {
            return Err(self.problem(format!("the value grows to more than {VALUE_LIMIT} bytes")));
        }
        Ok(value)
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        self.line += passed.matches('\n').count();
        self.rest = rest;
    }

    fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.file, self.line, 0, message)
    }
}

/// `\n`, `\t`, `\"`, `\\`, `\$` and octal `\0…` in double quotes; anything else keeps its backslash.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(next) = chars.next() else {
            out.push('\\');
            break;
        };
        match next {
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            '"' | '\\' => out.push(next),
            '$' => out.push_str("$$"),
            '0' => out.push_str(&octal(&mut chars)),
            other => out.extend(['\\', other]),
        }
    }
    out
}

/// After `\0`: three octal digits are a character; of anything else only the zero is lost, as Compose loses it.
fn octal(chars: &mut std::iter::Peekable<std::str::Chars>) -> String {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(|c| digits.len() < 3 && c.is_ascii_digit()) {
        digits.push(digit);
    }
    match u8::from_str_radix(&digits, 8) {
        Ok(code) if digits.len() == 3 => char::from(code).to_string(),
        _ => format!("\\{digits}"),
    }
}
