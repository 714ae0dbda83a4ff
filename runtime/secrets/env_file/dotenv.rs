use super::{Assignment, Fault, Rules, is_name};

/// A POSIX shell that sources the file (`. ./.env`), as far as a file of plain assignments goes. What makes the shell replace
/// or run something is a fault. (The source is "Shell Command Language" of POSIX.1-2017, sections 2.2 and 2.9.1.)
pub(super) struct Dotenv;

/// Variables that shells keep for themselves: setting them fails or does something else.
const OWN: &[&str] = &[
    "_",
    "BASHOPTS",
    "BASHPID",
    "BASH_VERSINFO",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "LINENO",
    "OPTIND",
    "PPID",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SRANDOM",
    "UID",
];

/// What ends a word or begins something else than a character of it.
const SPECIAL: &[char] = &[';', '&', '|', '<', '>', '(', ')', '~', '\r'];

impl Rules for Dotenv {
    fn program(&self) -> &'static str {
        "a shell"
    }

    fn read(&self, text: &str) -> Result<Vec<Assignment>, Fault> {
        let mut reader = Reader { rest: text, line: 0, found: Vec::new() };
        while !reader.rest.is_empty() {
            reader.line()?;
        }
        Ok(reader.found)
    }

    fn refuses_name(&self, name: &str) -> Option<String> {
        if OWN.contains(&name) {
            return Some("shells keep this name for themselves".to_owned());
        }
        let is_right = is_name(name, &[]);
        (!is_right).then(|| "a name has letters, digits and `_`, and does not begin with a digit".to_owned())
    }

    fn refuses_value(&self, _name: &str, _value: &str) -> Option<String> {
        None
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// The current line, counted from 0.
    line: usize,
    found: Vec<Assignment>,
}

impl Reader<'_> {
    /// A blank line, a comment, or an assignment.
    fn line(&mut self) -> Result<(), Fault> {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        if self.rest.starts_with('#') || self.rest.starts_with('\n') {
            return self.end_of_line();
        }
        if let Some(after) = self.rest.strip_prefix("export").filter(|after| after.starts_with([' ', '\t'])) {
            self.rest = after.trim_start_matches([' ', '\t']);
        }
        if self.rest.is_empty() {
            return Ok(());
        }
        let start = self.line;
        let assigned = self.rest.split_once('=').filter(|(name, _)| is_name(name, &[]));
        let Some((name, rest)) = assigned else { return Err(self.fault("this is not an assignment")) };
        if let Some(why) = Dotenv.refuses_name(name) {
            return Err(self.fault(&why));
        }
        self.rest = rest;
        let value = self.word()?;
        let lines = start..self.line + 1;
        self.end_of_line()?;
        self.found.push(Assignment { name: name.to_owned(), value, lines });
        Ok(())
    }

    /// After a word nothing may come but a comment: a second word would be a command.
    fn end_of_line(&mut self) -> Result<(), Fault> {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(['#', '\n']) {
            return Err(self.fault("there is more than one word after `=`"));
        }
        self.rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        self.line += 1;
        Ok(())
    }

    /// Up to a blank or the end of the line, quotes taken away.
    fn word(&mut self) -> Result<String, Fault> {
        let mut word = String::new();
        while let Some(c) = self.rest.chars().next().filter(|c| !matches!(c, ' ' | '\t' | '\n')) {
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\'' => {
                    let quoted = self.rest.split_once('\'');
                    let Some((quoted, rest)) = quoted else {
                        return Err(self.fault("the value that begins with ' has no end"));
                    };
                    word.push_str(quoted);
                    self.line += quoted.matches('\n').count();
                    self.rest = rest;
                }
                '"' => self.double_quoted(&mut word)?,
                '\\' => match self.take() {
                    Some('\n') | None => {}
                    Some(c) => word.push(c),
                },
                '$' | '`' => return Err(self.replaced()),
                c if SPECIAL.contains(&c) => {
                    return Err(self.fault(&format!("{c:?} without quotes is no part of a value")));
                }
                c => word.push(c),
            }
        }
        Ok(word)
    }

    fn double_quoted(&mut self, word: &mut String) -> Result<(), Fault> {
        loop {
            match self.take() {
                None => return Err(self.fault("the value that begins with \" has no end")),
                Some('"') => return Ok(()),
                Some('$' | '`') => return Err(self.replaced()),
                Some('\\') => match self.take() {
                    Some('\n') | None => {}
                    Some(c @ ('"' | '\\' | '`' | '$')) => word.push(c),
                    Some(c) => word.extend(['\\', c]),
                },
                Some(c) => word.push(c),
            }
        }
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn replaced(&self) -> Fault {
        self.fault(
            "the shell replaces or runs what `$` or a backquote begins; only single quotes or a backslash keep it",
        )
    }

    fn fault(&self, message: &str) -> Fault {
        Fault { line: self.line + 1, message: message.to_owned() }
    }
}
