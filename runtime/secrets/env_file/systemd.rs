use super::{Assignment, Fault, Rules, is_name};

/// `EnvironmentFile=` of a systemd unit: quotes as a shell has them, and nothing is ever replaced. (The source is
/// systemd.exec(5), and `env-file.c` and `env-util.c` of systemd 252.)
pub(super) struct Systemd;

impl Rules for Systemd {
    fn program(&self) -> &'static str {
        "systemd"
    }

    fn read(&self, text: &str) -> Result<Vec<Assignment>, Fault> {
        let mut reader = Reader { text, rest: text, line: 0, found: Vec::new() };
        while !reader.rest.is_empty() {
            reader.line()?;
        }
        Ok(reader.found)
    }

    fn refuses_name(&self, name: &str) -> Option<String> {
        let is_right = is_name(name, &[]);
        (!is_right).then(|| "a name has letters, digits and `_`, and does not begin with a digit".to_owned())
    }

    fn refuses_value(&self, _name: &str, value: &str) -> Option<String> {
        invalid(value).map(str::to_owned)
    }
}

/// Why systemd does not take a value that it has read: older versions leave the variable out, or all refuse the whole file.
fn invalid(value: &str) -> Option<&'static str> {
    let is_control = |c: char| c.is_ascii_control() && c != '\t' && c != '\n';
    let is_noncharacter = |c: char| matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    if value.contains(is_control) {
        Some("older versions leave out a value with a control character other than tab and line break")
    } else if value.contains(is_noncharacter) {
        Some("a file with a Unicode noncharacter is refused")
    } else {
        None
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    /// The current line, counted from 0.
    line: usize,
    found: Vec<Assignment>,
}

impl Reader<'_> {
    /// A blank line, a comment, or a variable with all of its value.
    fn line(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        match self.take() {
            None | Some('\n' | '\r') => Ok(()),
            Some('#' | ';') => self.comment(),
            Some(first) => self.variable(first),
        }
    }

    /// To the end of the line. A backslash at its end is refused: what it does depends on the version.
    fn comment(&mut self) -> Result<(), Fault> {
        let line = self.line + 1;
        let comment = self.rest.split(['\n', '\r']).next().unwrap_or_default();
        self.rest = &self.rest[comment.len()..];
        if comment.ends_with('\\') {
            return Err(Fault { line, message: "a comment ends with a backslash".to_owned() });
        }
        Ok(())
    }

    fn variable(&mut self, first: char) -> Result<(), Fault> {
        let start = self.line;
        let mut name = String::from(first);
        loop {
            match self.take() {
                Some('=') => break,
                // A line without `=` is passed over.
                None | Some('\n' | '\r') => return Ok(()),
                Some(c) => name.push(c),
            }
        }
        let name = name.trim_end_matches([' ', '\t']).to_owned();
        let value = self.value()?;
        let fault = |message: &str| Err(Fault { line: start + 1, message: message.to_owned() });
        if !is_name(&name, &[]) {
            return fault("a variable with such a name is left out");
        }
        if let Some(why) = invalid(&value) {
            return fault(why);
        }
        let is_whole_line = self.text[..self.text.len() - self.rest.len()].ends_with('\n');
        let end = if is_whole_line { self.line } else { self.line + 1 };
        self.found.push(Assignment { name, value, lines: start..end });
        Ok(())
    }

    /// Quoted parts with blanks between them that do not count, and then text to the end of the line.
    fn value(&mut self) -> Result<String, Fault> {
        let mut value = String::new();
        loop {
            self.skip_blanks();
            match self.take() {
                None | Some('\n' | '\r') => return Ok(value),
                Some(quote @ ('\'' | '"')) => self.quoted(quote, &mut value)?,
                Some(first) => {
                    self.text(first, &mut value);
                    return Ok(value);
                }
            }
        }
    }

    fn quoted(&mut self, quote: char, value: &mut String) -> Result<(), Fault> {
        let line = self.line + 1;
        loop {
            match self.take() {
                None => return Err(Fault { line, message: format!("the value that begins with {quote} has no end") }),
                Some(end) if end == quote => return Ok(()),
                Some('\\') if quote == '"' => match self.take() {
                    Some('\n') | None => {}
                    Some(c @ ('"' | '\\' | '`' | '$')) => value.push(c),
                    Some(c) => value.extend(['\\', c]),
                },
                Some(c) => value.push(c),
            }
        }
    }

    /// Text without quotes: a backslash takes the next character as it is, blanks at the end do not count.
    fn text(&mut self, first: char, value: &mut String) {
        let (mut next, mut counted) = (Some(first), value.len());
        while let Some(c) = next.filter(|c| *c != '\n' && *c != '\r') {
            if c == '\\' {
                value.extend(self.take().filter(|c| *c != '\n' && *c != '\r'));
                counted = value.len();
            } else {
                value.push(c);
                if c != ' ' && c != '\t' {
                    counted = value.len();
                }
            }
            next = self.take();
        }
        value.truncate(counted);
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }
}
