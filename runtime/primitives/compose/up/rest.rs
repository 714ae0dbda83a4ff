//! `up` with nothing to do. It changes nothing, so it needs nobody to be kept away, and takes no lock.

use super::sight::Sight;
use super::{Options, plan, report, resources};
use crate::compose::Application;
use crate::primitive::{Failure, Outcome};
use crate::primitives::compose::app::App;
use crate::primitives::compose::images;
use crate::primitives::compose::release::{self, Snapshot};

/// What the call ends with where everything is as it should be, the record of it included; `None` where something is to do.
pub(super) fn outcome(
    app: &App<'_>,
    everything: &Application,
    sight: &Sight,
    options: &Options,
) -> Result<Option<Outcome>, Failure> {
    let Some(held) = images::at_hand(app, &sight.images)? else { return Ok(None) };
    let plan = plan::make(app, everything, &sight.existing, &held, options)?;
    let is_whole = sight.existing.leftovers.is_empty() && resources::foresee(app, &sight.there).is_empty();
    if !is_whole || !plan.rests() || (options.record && !is_recorded(app, sight)?) {
        return Ok(None);
    }
    plan.warn(app.context);
    let done = report::foreseen(plan);
    report::log(app, &done);
    Ok(Some(report::outcome(&done, None)))
}

fn is_recorded(app: &App<'_>, sight: &Sight) -> Result<bool, Failure> {
    let images = sight.images.values().map(|image| (image.id.clone(), image.clone())).collect();
    let now = Snapshot::seen(app, &sight.existing, sight.labelled.clone(), images)?;
    release::is_recorded(app, &now)
}
