use std::fs::File;
use std::io::Read;

use serde_json::Value;

use crate::primitive::{Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Spec, Touches};

/// `random(…)`: chance, the same one when the run is gone on with.
pub struct Random;

crate::options! {
    /// Options of `random`: one of `bytes`, `from` with `to`, or `of`.
    pub struct Options {
        /// So many random bytes, as hexadecimal digits: two for each.
        bytes: Option<usize>,
        /// The smallest number of a range.
        from: Option<i64>,
        /// The largest number of that range.
        to: Option<i64>,
        /// One item of this list.
        of: Option<Vec<Value>>,
    }
}

/// The most bytes: more is no name and no key.
const MOST: usize = 1024;

static SPEC: Spec = Spec {
    name: "random",
    receiver: None,
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Chance: hexadecimal digits, a whole number of a range, or an item of a list.",
    example: "let id = random(#{ bytes: 8 })",
};

impl Primitive for Random {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, _context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let wrong = |message: &str| {
            Err(Failure::new(FailureKind::Option, format!("`random`: {message}")).hint(
                "it is written `random(#{ bytes: 16 })`, `random(#{ from: 1, to: 6 })` or `random(#{ of: list })`",
            ))
        };
        let value = match call.options()? {
            Options { bytes: Some(count), from: None, to: None, of: None } => {
                if count == 0 || count > MOST {
                    return wrong(&format!("`bytes` must be 1 to {MOST}"));
                }
                let digits =
                    bytes(count)?.iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str());
                Value::from(digits)
            }
            Options { bytes: None, from: Some(from), to: Some(to), of: None } => {
                if from > to {
                    return wrong(&format!("`from` ({from}) is larger than `to` ({to})"));
                }
                Value::from(from.wrapping_add_unsigned(below(from.abs_diff(to))?))
            }
            Options { bytes: None, from: None, to: None, of: Some(items) } => {
                if items.is_empty() {
                    return wrong("`of` is an empty list");
                }
                let chosen = below(items.len() as u64 - 1)?;
                usize::try_from(chosen).ok().and_then(|chosen| items.get(chosen)).cloned().unwrap_or_default()
            }
            _ => return wrong("needs `bytes`, `from` with `to`, or `of`, and only one of them"),
        };
        Ok(value.into())
    }

    fn touches(&self, _context: &Context<'_>, _call: &Call) -> Touches {
        Touches::Nothing
    }

    fn observed(&self, _call: &Call, _result: &Value) -> Value {
        Value::Null
    }
}

/// A number from 0 to `largest`, each as likely as the others: what would make some likelier is drawn again.
fn below(largest: u64) -> Result<u64, Failure> {
    let mask = largest.checked_next_power_of_two().map_or(u64::MAX, |power| (power - 1) | power);
    loop {
        let mut drawn = [0; 8];
        drawn.copy_from_slice(&bytes(8)?);
        let number = u64::from_le_bytes(drawn) & mask;
        if number <= largest {
            return Ok(number);
        }
    }
}

fn bytes(count: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; count];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.map_err(|error| Failure::system("draw a random number", &error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_a_range_comes_up_and_no_other() {
        for largest in [0, 1, 2, 5, 7, 8] {
            let mut seen = vec![0_u32; usize::try_from(largest).unwrap() + 1];
            for _ in 0..2_000 {
                seen[usize::try_from(below(largest).unwrap()).unwrap()] += 1;
            }
            assert!(seen.iter().all(|count| *count > 0), "{largest}: {seen:?}");
        }
        below(u64::MAX).unwrap();
    }
}
