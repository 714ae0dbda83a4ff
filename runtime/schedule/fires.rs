//! From wall-clock times to moments: what Debian's cron does where clocks are changed.
//!
//! Debian's cron keeps a *virtual time*: the wall-clock minute up to which all jobs have run. When the clocks are changed it
//! compares the new wall clock with it (`cron.c`, main loop; `timeDiff` there is one more than the minutes here):
//!
//! | the wall clock is | what runs |
//! |---|---|
//! | as expected | everything |
//! | ahead by up to 4 minutes | what was skipped, at once |
//! | ahead by less than 3 hours | what was skipped, at once; but not jobs that follow the wall clock |
//! | behind by up to 3 hours | jobs that follow the wall clock; the others wait until it has caught up |
//! | anything else | it counts as set right: everything from now on |
//!
//! Several times of an expression in one gap are one fire: its moment is the end of the gap.

use super::expression::Expression;
use super::wall::{WallSecond, WallTimes};
use super::zone::{Stretch, Zone};
use crate::project::DstPolicy;

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

/// The moments at which an expression fires in a zone, in order, as seconds since 1970-01-01 UTC.
#[derive(Clone, Debug)]
pub struct Fires<'a> {
    walls: &'a WallTimes,
    zone: &'a Zone,
    catches_up: bool,
    repeats: bool,
    stretch: Stretch,
    /// What has a wall clock before this has run: the virtual time, plus a minute.
    virtual_time: WallSecond,
    /// The wall clock up to which this stretch is done.
    wall: WallSecond,
    /// Something of the gap before this stretch fires at its beginning.
    caught_up: bool,
    last: i64,
}

impl<'a> Fires<'a> {
    /// The fires behind that second.
    pub fn after(expression: &'a Expression, zone: &'a Zone, policy: DstPolicy, after: i64) -> Self {
        let (catches_up, repeats) = match policy {
            DstPolicy::Debian => (!expression.follows_wall_clock(), expression.follows_wall_clock()),
            DstPolicy::Once => (true, false),
            DstPolicy::Wall => (false, true),
            DstPolicy::Skip => (false, false),
        };
        // No change of the clocks is felt for longer than three hours.
        let stretch = zone.stretch_at(after - DAY);
        let wall = after - DAY + stretch.offset;
        let walls = expression.walls();
        let mut fires =
            Self { walls, zone, catches_up, repeats, stretch, virtual_time: wall, wall, caught_up: false, last: after };
        while fires.stretch.end <= after && fires.enter_next() {}
        fires.caught_up = false;
        fires.wall = after + fires.stretch.offset;
        fires
    }

    /// Goes over the next change of the clocks.
    fn enter_next(&mut self) -> bool {
        let Some(next) = self.zone.following(self.stretch) else { return false };
        let expected = self.virtual_time.max(next.start + self.stretch.offset);
        let begins = next.start + next.offset;
        self.caught_up = false;
        self.virtual_time = match (begins - expected).div_euclid(MINUTE) {
            -180..=-1 => expected,
            ahead @ 1..=179 => {
                let skipped = self.walls.after(expected - 1).is_some_and(|wall| wall < begins);
                self.caught_up = skipped && (self.catches_up || ahead <= 4);
                begins
            }
            _ => begins,
        };
        self.wall = begins - 1;
        self.stretch = next;
        true
    }
}

impl Iterator for Fires<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        loop {
            if std::mem::take(&mut self.caught_up) {
                self.last = self.stretch.start;
                return Some(self.last);
            }
            let from = if self.repeats { self.wall } else { self.wall.max(self.virtual_time - 1) };
            let wall = self.walls.after(from)?;
            let second = wall - self.stretch.offset;
            if second >= self.stretch.end {
                if !self.enter_next() {
                    return None;
                }
                continue;
            }
            self.wall = wall;
            if second > self.last {
                self.last = second;
                return Some(second);
            }
        }
    }
}
