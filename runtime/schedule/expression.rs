//! A cron expression: five fields or a nickname, with exactly the meaning that Debian's cron gives them.
//!
//! The source is Debian's `entry.c` (cron 3.0pl1-162), crontab(5) and cron(8). Debian's parser is lenient: what follows a
//! complete value up to the next blank is passed over, and a range that runs backwards sets nothing. Both are understood
//! as Debian understands them and told of as a [slip](Expression::slips), so that a question about a crontab is answered
//! truthfully while a new schedule is refused.

mod field;
mod nickname;
mod problem;
mod values;

pub use problem::{Problem, ProblemKind};

use super::wall::WallTimes;
use field::Field;
pub(super) use values::Values;

/// The five fields as sets of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub minutes: Values,
    pub hours: Values,
    pub days: Values,
    pub months: Values,
    /// 0 is Sunday.
    pub weekdays: Values,
    /// Does a day have to be in both `days` and `weekdays`? So it is as soon as one of the two begins with `*`;
    /// otherwise either is enough.
    pub day_in_both: bool,
    /// Does it run by the wall clock alone? So it is when minute or hour begins with `*`, and for `@hourly`: then a
    /// change to or from summer time is not made up for.
    pub follows_wall_clock: bool,
}

/// A cron expression that fires at some time.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    fields: Fields,
    walls: WallTimes,
    slips: Vec<Problem>,
}

impl Expression {
    /// Reads `30 2 * * *` or `@daily`.
    ///
    /// Fails, with the place, for what Debian's cron refuses, and for what fires on no date there is.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let (fields, slips) = match text.trim_matches([' ', '\t']).strip_prefix('@') {
            Some(_) => (nickname::parse(text)?, Vec::new()),
            None => five(text)?,
        };
        let walls = WallTimes::new(&fields).map_err(|message| Problem::whole(text, message))?;
        if walls.after(0).is_none() {
            return Err(never(text, &fields, &slips));
        }
        Ok(Self { text: text.trim_matches([' ', '\t']).to_owned(), fields, walls, slips })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What Debian's cron accepts although nobody can have meant it.
    pub fn slips(&self) -> &[Problem] {
        &self.slips
    }

    /// Does it run by the wall clock alone, as cron(8) says of jobs with `*` in minute or hour?
    pub fn follows_wall_clock(&self) -> bool {
        self.fields.follows_wall_clock
    }

    pub(super) fn walls(&self) -> &WallTimes {
        &self.walls
    }
}

fn five(text: &str) -> Result<(Fields, Vec<Problem>), Problem> {
    let words = words(text);
    if let Some((place, word)) = words.get(5) {
        let length = text[*place..].trim_end().chars().count().max(word.chars().count());
        return Err(Problem::at(text, *place, length, "an expression has five fields, and this is too much")
            .hint("the five are minute, hour, day of month, month and day of week: a command does not belong here"));
    }
    let mut slips = Vec::new();
    let mut sets = [Values::default(); 5];
    for (number, field) in Field::ALL.iter().enumerate() {
        let Some((place, word)) = words.get(number) else {
            let message = format!("the {} is missing: an expression has five fields", field.name);
            return Err(Problem::at(text, text.len(), 1, message)
                .hint("they are minute, hour, day of month, month and day of week, as in `30 2 * * *`"));
        };
        sets[number] = field.parse(text, *place, word, &mut slips)?;
    }
    let begins_with_star = |number: usize| words[number].1.starts_with('*');
    let [minutes, hours, days, months, weekdays] = sets;
    let fields = Fields {
        minutes,
        hours,
        days,
        months,
        weekdays: weekdays.fold_sunday(),
        day_in_both: begins_with_star(2) || begins_with_star(4),
        follows_wall_clock: begins_with_star(0) || begins_with_star(1),
    };
    Ok((fields, slips))
}

/// The words between blanks, with the byte at which each begins.
fn words(text: &str) -> Vec<(usize, &str)> {
    let words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    words.map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word)).collect()
}

/// Why an expression that can be read never fires.
fn never(text: &str, fields: &Fields, slips: &[Problem]) -> Problem {
    if let Some(slip) = slips.first().filter(|_| fields.has_empty()) {
        return slip.clone().of_kind_never();
    }
    let words = words(text);
    let (Some((first, _)), Some((last, word))) = (words.get(2), words.get(3)) else {
        return Problem::whole(text, "it never fires").of_kind_never();
    };
    let length = text[*first..last + word.len()].chars().count();
    Problem::at(text, *first, length, "it never fires: there is no such date")
        .hint("the months after `2` have 30 or 31 days; February has 29 at most")
        .of_kind_never()
}

impl Fields {
    fn has_empty(&self) -> bool {
        [self.minutes, self.hours, self.months].iter().any(|set| set.is_empty())
            || (self.days.is_empty() && (self.day_in_both || self.weekdays.is_empty()))
            || (self.weekdays.is_empty() && self.day_in_both)
    }
}
