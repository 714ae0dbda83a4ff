use super::{Action, Limits, Standing, Upcoming, World, account, dispatch};
use crate::journal::{Fire, FireChange, FireState};

/// The schedules that begin a run at the second that `world` shows, which is yet to come, if nothing else happens until then.
pub fn foresee(standing: &Standing, world: &World<'_>, limits: &Limits) -> Vec<String> {
    let mut then = standing.clone();
    let expected = account(standing, world, &mut Upcoming::default());
    let fires = expected.into_iter().filter_map(|change| match change {
        FireChange::Expect { schedule, at, due, late, skip: None } => Some((schedule, at, due, late)),
        _ => None,
    });
    // Rows that are yet to come have their numbers behind those that are there.
    then.open.extend((i64::MAX / 2..).zip(fires).map(|(number, (schedule, at, due, late))| Fire {
        id: number,
        schedule,
        at,
        manual: false,
        due,
        late,
        state: FireState::Due,
        reason: None,
        result: None,
        attempt: 1,
        resumes: 0,
        ticket: String::new(),
        run: None,
        run_state: None,
        run_since: None,
        note: None,
    }));
    let (_, actions) = dispatch(&then, world, limits, &mut String::new);
    let begun = actions.iter().filter_map(|action| match action {
        Action::Begin { fire, .. } => then.open.iter().find(|open| open.id == *fire),
        _ => None,
    });
    begun.map(|fire| fire.schedule.clone()).collect()
}
