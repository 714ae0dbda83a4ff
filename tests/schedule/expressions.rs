//! Expressions as people would type them, for comparing with another cron: good ones, odd ones and wrong ones.

/// Numbers that look random and are the same each time (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub fn one_in(&mut self, many: u64) -> bool {
        self.next().is_multiple_of(many)
    }

    pub fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[usize::try_from(self.next()).unwrap() % items.len()]
    }
}

const NICKNAMES: &[&str] =
    &["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@Daily", "@reboots", "@"];
const MONTHS: &[&str] = &["jan", "Feb", "MAR", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "Mon", "TUE", "wed", "thu", "fri", "sat"];
const JUNK: &[&str] =
    &["?", "L", "5L", "1W", "#2", "*5", "*-3", "1-", "-3", "/5", "*/", "*/0", "1/2", "60", "99", "5,", ",5", "5-3/2"];

/// An expression.
pub fn expression(dice: &mut Dice) -> String {
    if dice.one_in(40) {
        return dice.pick(NICKNAMES).to_owned();
    }
    let mut fields = [
        field(dice, 0, 59, &[], 8),
        field(dice, 0, 23, &[], 3),
        field(dice, 1, 31, &[], 2),
        field(dice, 1, 12, MONTHS, 2),
        field(dice, 0, 7, DAYS, 2),
    ];
    if dice.one_in(12) {
        let place = usize::try_from(dice.between(0, 4)).unwrap();
        fields[place] = match dice.between(0, 2) {
            0 => dice.pick(JUNK).to_owned(),
            1 => format!("{}{}", fields[place], dice.pick(JUNK)),
            _ => format!("{},{}", dice.pick(JUNK), fields[place]),
        };
    }
    let blank = if dice.one_in(20) { "\t " } else { " " };
    let mut text = fields.join(blank);
    if dice.one_in(60) {
        text.push_str(" 7");
    }
    text
}

/// `*` once in so many, otherwise values.
fn field(dice: &mut Dice, low: u64, high: u64, names: &[&str], stars: u64) -> String {
    if dice.one_in(stars) {
        return match dice.between(0, 5) {
            0 => format!("*/{}", dice.between(1, high + 2)),
            1 => format!("*,{}", dice.between(low, high)),
            _ => "*".to_owned(),
        };
    }
    let parts = if dice.one_in(3) { dice.between(2, 4) } else { 1 };
    let parts: Vec<String> = (0..parts).map(|_| part(dice, low, high, names)).collect();
    parts.join(",")
}

fn part(dice: &mut Dice, low: u64, high: u64, names: &[&str]) -> String {
    let value = |dice: &mut Dice, number: u64| match names.get(usize::try_from(number - low).unwrap()) {
        Some(name) if dice.one_in(3) => (*name).to_owned(),
        _ if dice.one_in(15) => format!("0{number}"),
        _ => number.to_string(),
    };
    let first = dice.between(low, high);
    match dice.between(0, 9) {
        0 => format!("*/{}", dice.between(1, high)),
        1..=3 => {
            let last = if dice.one_in(8) { dice.between(low, high) } else { dice.between(first, high) };
            let step = if dice.one_in(2) { format!("/{}", dice.between(1, 9)) } else { String::new() };
            format!("{}-{}{step}", value(dice, first), value(dice, last))
        }
        _ => value(dice, first),
    }
}
