use jiff::{SignedDuration, Timestamp};

/// How far clocks of several machines may be apart.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

/// A pause that is no reason to doubt a clock.
const PAUSE: SignedDuration = SignedDuration::from_hours(60 * 24);

/// What speaks for and against the clock, and about the job.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signs {
    /// What the clock shows now.
    pub now: Timestamp,
    /// The newest moment that was ever noted on this machine.
    pub noted: Option<Timestamp>,
    /// The newest attempt to back the job up, if it failed: its run.
    pub failed: Option<i64>,
}

/// Why nothing of a job may be forgotten now, whatever the rules say: its last backup failed, or a clock is wrong. By a wrong clock
/// good snapshots look old.
pub fn doubt(times: impl IntoIterator<Item = Timestamp>, signs: &Signs) -> Option<String> {
    let mut times: Vec<Timestamp> = times.into_iter().collect();
    times.sort_unstable();
    if let Some(run) = signs.failed {
        return Some(format!("its last backup failed (run {run})"));
    }
    let latest = times.last().copied()?;
    let shown = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M UTC").to_string();
    if latest.duration_since(signs.now) > SKEW {
        return Some(format!("its newest snapshot is from the future ({}): a clock is wrong", shown(latest)));
    }
    if let Some(noted) = signs.noted.filter(|noted| noted.duration_since(signs.now) > SKEW) {
        return Some(format!("the clock shows an earlier time than it did ({}): it was set back", shown(noted)));
    }
    // One that was made by a clock far ahead makes all others old at once.
    let gaps: Vec<SignedDuration> = times.windows(2).map(|two| two[1].duration_since(two[0])).collect();
    if let Some((last, before @ [_, ..])) = gaps.split_last()
        && *last > PAUSE
        && before.iter().all(|gap| *last > *gap * 3)
    {
        let days = last.as_hours() / 24;
        return Some(format!("its newest snapshot is {days} days after the one before: was the clock right?"));
    }
    None
}
