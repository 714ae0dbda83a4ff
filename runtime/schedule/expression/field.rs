//! One field: `list = range {"," range}`, `range = "*" | value | value "-" value`, each but a single value with `/step`.

use super::problem::Problem;
use super::values::Values;

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What may stand in a field.
pub(super) struct Field {
    pub name: &'static str,
    low: u32,
    high: u32,
    /// Names for the values from `low` on.
    names: &'static [&'static str],
}

impl Field {
    /// The five, in order.
    pub(super) const ALL: [Self; 5] = [
        Self { name: "minute", low: 0, high: 59, names: &[] },
        Self { name: "hour", low: 0, high: 23, names: &[] },
        Self { name: "day of month", low: 1, high: 31, names: &[] },
        Self { name: "month", low: 1, high: 12, names: MONTHS },
        Self { name: "day of week", low: 0, high: 7, names: WEEKDAYS },
    ];

    /// Reads the word at `place` of `text`. What Debian's cron passes over silently is added to `slips`.
    pub(super) fn parse(
        &self,
        text: &str,
        place: usize,
        word: &str,
        slips: &mut Vec<Problem>,
    ) -> Result<Values, Problem> {
        let mut reader = Reader { field: self, text, place, rest: word };
        let mut values = Values::default();
        loop {
            reader.range(&mut values, slips)?;
            if !reader.skip(',') {
                break;
            }
        }
        if !reader.rest.is_empty() {
            let message = format!("Debian's cron passes over `{}` here", reader.rest);
            slips.push(reader.here(reader.rest.chars().count(), message).hint("write what is meant"));
        }
        Ok(values)
    }

    /// The number a word means.
    fn value(&self, word: &str) -> Option<u32> {
        let name = self.names.iter().position(|name| name.eq_ignore_ascii_case(word));
        match name.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => Some(self.low + index),
            None => number(word).filter(|value| (self.low..=self.high).contains(value)),
        }
    }

    /// What a value may be, in words.
    fn allowed(&self) -> String {
        let Self { low, high, .. } = self;
        match self.names {
            [first, .., last] => format!("a number from {low} to {high}, or a name from {first} to {last}"),
            _ => format!("a number from {low} to {high}"),
        }
    }
}

fn number(word: &str) -> Option<u32> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

/// What is left of a field, and where that is.
struct Reader<'a> {
    field: &'a Field,
    text: &'a str,
    place: usize,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn range(&mut self, values: &mut Values, slips: &mut Vec<Problem>) -> Result<(), Problem> {
        let (begin, all) = (self.place, self.rest);
        let (low, high) = if self.skip('*') {
            (self.field.low, self.field.high)
        } else {
            let low = self.value()?;
            if !self.skip('-') {
                if self.rest.starts_with('/') {
                    let example = format!("{low}-{}{}", self.field.high, self.rest.split(',').next().unwrap_or("/2"));
                    return Err(self
                        .here(1, "a step needs a range or `*` before it")
                        .hint(format!("from {low} on it is `{example}`")));
                }
                values.insert(low);
                return Ok(());
            }
            (low, self.value()?)
        };
        let step = if self.skip('/') { self.step()? } else { 1 };
        if low > high {
            let length = all.len() - self.rest.len();
            let message = format!("a range that runs backwards holds no {}", self.field.name);
            let problem = Problem::at(self.text, begin, length, message);
            slips.push(problem.hint(self.forwards(low, high)));
        }
        (low..=high).step_by(step as usize).for_each(|value| values.insert(value));
        Ok(())
    }

    /// What somebody who wrote `22-5` meant.
    fn forwards(&self, low: u32, high: u32) -> String {
        let Field { low: first, high: last, names, .. } = self.field;
        if *last == 7 && high == 0 {
            return format!("write `{low}-7`: Sunday is 0 and 7");
        }
        let last = if names.len() == 7 { 6 } else { *last };
        format!("write `{low}-{last},{first}-{high}`")
    }

    fn value(&mut self) -> Result<u32, Problem> {
        let word = self.peek_word();
        let field = self.field;
        let Some(value) = field.value(word) else {
            return Err(self.no_value(word));
        };
        self.advance(word.len());
        Ok(value)
    }

    fn no_value(&self, word: &str) -> Problem {
        let Field { name, .. } = self.field;
        let allowed = self.field.allowed();
        if word.is_empty() {
            return match self.rest.chars().next() {
                None | Some(',') => self.here(1, format!("a {name} is missing")).hint(format!("write {allowed}")),
                Some(other) => {
                    let problem = self.here(1, format!("`{other}` is no {name}"));
                    problem.hint(if other == '?' {
                        "cron has no `?`: write `*`".into()
                    } else {
                        format!("write {allowed}")
                    })
                }
            };
        }
        let problem = self.here(word.len(), format!("`{word}` is no {name}"));
        let lower = word.to_ascii_lowercase();
        let near = self.field.names.iter().find(|name| lower.starts_with(*name));
        problem.hint(near.map_or_else(|| format!("write {allowed}"), |name| format!("did you mean `{name}`?")))
    }

    fn step(&mut self) -> Result<u32, Problem> {
        let word = self.peek_word();
        match number(word).filter(|_| !word.is_empty()) {
            Some(0) => Err(self.here(word.len(), "a step of 0 never gets on").hint("write 1 or more")),
            Some(step) => {
                self.advance(word.len());
                Ok(step)
            }
            None => Err(self
                .here(
                    word.len(),
                    if word.is_empty() { "a step is missing".into() } else { format!("`{word}` is no step") },
                )
                .hint("write a number, as in `*/15`")),
        }
    }

    /// Letters and digits, which Debian's cron takes together before it asks what they are.
    fn peek_word(&self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        &self.rest[..end]
    }

    fn skip(&mut self, c: char) -> bool {
        let found = self.rest.starts_with(c);
        if found {
            self.advance(c.len_utf8());
        }
        found
    }

    fn advance(&mut self, bytes: usize) {
        self.place += bytes;
        self.rest = &self.rest[bytes..];
    }

    fn here(&self, length: usize, message: impl Into<String>) -> Problem {
        Problem::at(self.text, self.place, length, message)
    }
}
