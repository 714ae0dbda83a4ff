//! Values from standard input or a person.

use std::io::{IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::failure::{Failure, FailureKind};
use crate::report;
use crate::secrets::SecretText;

/// More than any value may have; what is read beyond it would be refused anyway.
const LIMIT: u64 = 1 << 20;

/// The value of standard input without its last line break, or what a person at the terminal types twice.
pub(super) fn value(name: &str) -> Result<SecretText, Failure> {
    if !std::io::stdin().is_terminal() {
        return piped();
    }
    let value = typed(&format!("value of {name}: "))?;
    let again = typed("once more: ")?;
    if value.equals(&again) {
        return Ok(value);
    }
    Err(Failure::new(FailureKind::Argument, "the two are not the same: nothing was changed"))
}

fn piped() -> Result<SecretText, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(LIMIT).read_to_string(&mut text);
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => Failure::new(FailureKind::Invalid, "the value is not text")
            .hint("a value is text: encode other bytes, as `base64` does"),
        _ => Failure::system("read the value from standard input", &error),
    })?;
    let value = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if value.is_empty() {
        return Err(Failure::new(FailureKind::Argument, "there is no value on standard input")
            .hint("pipe it in, or run this at a terminal and be asked"));
    }
    Ok(SecretText::new(value))
}

/// What a person types in one line, unseen.
fn typed(question: &str) -> Result<SecretText, Failure> {
    let failed = |error: std::io::Error| Failure::system("ask at the terminal", &error);
    let mut out = report::stderr();
    write!(out, "{question}").and_then(|()| out.flush()).map_err(failed)?;
    let unseen = Unseen::begin().map_err(|error| failed(error.into()))?;
    let line = line();
    drop(unseen);
    report::note("");
    let line = line.map_err(failed)?.ok_or_else(|| Failure::new(FailureKind::Cancelled, "nothing was changed"))?;
    if line.is_empty() {
        return Err(Failure::new(FailureKind::Argument, "an empty value was typed: nothing was changed"));
    }
    Ok(SecretText::new(line))
}

/// One line, key by key, with what a person needs to correct it; `None` when the person gave up.
fn line() -> std::io::Result<Option<String>> {
    let mut typed = Vec::new();
    for byte in std::io::stdin().lock().bytes() {
        match byte? {
            b'\n' | b'\r' => break,
            4 if !typed.is_empty() => break,
            3 | 4 => return Ok(None),
            8 | 127 => {
                // A character may have several bytes.
                while typed.pop().is_some_and(|byte: u8| byte & 0b1100_0000 == 0b1000_0000) {}
            }
            21 => typed.clear(),
            byte => typed.push(byte),
        }
    }
    String::from_utf8(typed).map(Some).map_err(|_| std::io::Error::other("what was typed is not text"))
}

/// The terminal shows nothing of what is typed until this is dropped.
struct Unseen(Termios);

impl Unseen {
    fn begin() -> rustix::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut unseen = before.clone();
        // Keys come one by one and none of them ends the process, so that the terminal is always put right again.
        unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        unseen.special_codes[SpecialCodeIndex::VMIN] = 1;
        unseen.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &unseen)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
