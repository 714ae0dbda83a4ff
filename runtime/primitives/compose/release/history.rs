//! Recorded releases: adding one, finding one, and which of them to go back to.

use std::collections::BTreeMap;

use super::{Kept, Snapshot, Timing, images};
use crate::primitive::{Failure, FailureKind, Release, ReleaseState};
use crate::primitives::compose::app::App;

/// Records what runs now as a release of this run, unless it is the good one recorded last.
///
/// It is pending until the run ends well, so a deployment that fails its last check is nothing to go back to.
///
/// `now` is what runs; `restored` is the number of the release that was brought back, when that is how it came about.
pub(crate) fn record(
    app: &App<'_>,
    mut now: Snapshot,
    changed: bool,
    restored: Option<i64>,
    timings: &BTreeMap<String, Timing>,
    kept: Kept,
) -> Result<(), Failure> {
    images::keep(app, &now)?;
    let releases = app.context.services.releases(app.name())?;
    if now.containers.is_empty() || (is_newest(&releases, &now) && !changed) {
        return Ok(());
    }
    now.restored = restored;
    now.timings.clone_from(timings);
    let recorded = app.context.services.record_release(app.context.path, app.name(), &now.handle())?;
    let all: Vec<Release> = std::iter::once(recorded).chain(releases).collect();
    images::forget(app, &now, &all, kept);
    Ok(())
}

/// Would recording what runs change nothing, where no container was changed?
pub(crate) fn is_recorded(app: &App<'_>, now: &Snapshot) -> Result<bool, Failure> {
    let releases = app.context.services.releases(app.name())?;
    Ok(images::nameless(app, now).is_empty() && (now.containers.is_empty() || is_newest(&releases, now)))
}

fn is_newest(releases: &[Release], now: &Snapshot) -> bool {
    releases.first().is_some_and(|last| last.state == ReleaseState::Good && content(last).is_same(now))
}

/// How long services took to start and to stop when that was measured last, and in which release.
pub(crate) fn measured(app: &App<'_>) -> BTreeMap<String, (Timing, i64)> {
    let mut all = BTreeMap::new();
    for release in app.context.services.releases(app.name()).unwrap_or_default() {
        for (service, timing) in content(&release).timings {
            all.entry(service).or_insert((timing, release.number));
        }
    }
    all
}

/// The release of that number.
pub(crate) fn numbered(app: &App<'_>, number: i64) -> Result<Release, Failure> {
    let releases = app.context.services.releases(app.name())?;
    let newest = releases.first().map(|release| release.number);
    releases.into_iter().find(|release| release.number == number).ok_or_else(|| {
        let environment = &app.context.run.environment;
        let failure = Failure::new(
            FailureKind::NotFound,
            format!("`{}` has no release {number} in environment `{environment}`", app.name()),
        );
        match newest {
            Some(newest) => failure.hint(format!("the newest one is {newest}; `app.releases()` lists them")),
            None => failure.hint("none is recorded yet: `up` records one"),
        }
    })
}

/// The newest good release before the one that runs; going back twice goes back twice.
pub(crate) fn last_good(app: &App<'_>) -> Result<Release, Failure> {
    let now = Snapshot::take(app)?;
    let releases = app.context.services.releases(app.name())?;
    let before = position(&releases, &now);
    let good = releases.iter().find(|release| {
        release.state == ReleaseState::Good
            && before.is_none_or(|number| release.number < number)
            && !content(release).is_same(&now)
    });
    good.cloned().ok_or_else(|| {
        let failure =
            Failure::new(FailureKind::NotFound, format!("`{}` has no good release to go back to", app.name()));
        match releases.len() {
            0 => failure.hint("none is recorded yet: `up` records one, and it is good when its run ends well"),
            _ => failure.hint("`app.releases()` lists what is recorded; `app.release(N)` takes one by its number"),
        }
    })
}

/// The number that what runs has in the history: a release that was brought back stands where it stood first.
fn position(releases: &[Release], now: &Snapshot) -> Option<i64> {
    let mut found = releases.iter().find(|release| content(release).is_same(now))?;
    // Each step goes to a lower number, so this ends.
    while let Some(origin) = content(found).restored.filter(|origin| *origin < found.number)
        && let Some(earlier) = releases.iter().find(|release| release.number == origin)
    {
        found = earlier;
    }
    Some(found.number)
}

/// What was recorded.
pub(super) fn content(release: &Release) -> Snapshot {
    serde_json::from_value(release.content.clone()).unwrap_or_default()
}
