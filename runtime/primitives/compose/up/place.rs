//! A place of the application, and what is to happen to the container in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::gate;
use super::manner::{Manner, Update};
use crate::drivers::docker::Container;
use crate::primitive::{Context, LogStream};
use crate::primitives::compose::desired::Desired;
use crate::primitives::compose::images::Held;

/// What is to happen.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Nothing: it is as it should be.
    Keep,
    /// It is as it should be, and does not run.
    Start,
    /// It is as it should be, and something it depends on was replaced.
    Restart,
    /// A new container takes the place.
    Put(Box<Desired>),
    /// The container that was in the place before comes back: it is still there, stopped.
    Reinstate(Box<Container>),
    /// The place is gone.
    Remove,
}

/// The place of one container: number `number` of a service.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The service.
    pub service: String,
    /// Which of its containers.
    pub number: u64,
    /// The name that the container in it has.
    pub name: String,
    /// What is in it now.
    pub present: Option<Container>,
    /// The name of the image that was in it before this call.
    pub was: Option<String>,
    /// What is to happen.
    pub step: Step,
    /// Is its container to stay stopped? A job whose work is done is not done again by going back.
    pub idle: bool,
    /// Why, each reason in a few words.
    pub reasons: Vec<String>,
    /// How its container is replaced.
    pub manner: Manner,
    /// What is to be said about that.
    pub notes: Vec<String>,
    /// The image that is wanted in it.
    pub image: Held,
    /// The image's name.
    pub image_name: String,
    /// In a plan: on what it depends whether this happens at all.
    pub condition: Option<String>,
}

/// What happened at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// Nothing.
    Unchanged,
    /// Its container is gone.
    Removed,
    /// Its container was started.
    Started,
    /// Its container was restarted.
    Restarted,
    /// It got its first container.
    Created,
    /// It got another container.
    Recreated,
}

/// What must have happened to which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Its containers were started.
    Started,
    /// They passed their gate; for a job that is its end with code 0.
    Ready,
}

/// Everything that is to happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// By service, in the order of numbers.
    pub places: BTreeMap<String, Vec<Place>>,
    /// What each service waits for.
    pub after: BTreeMap<String, BTreeMap<String, Awaited>>,
    /// How the containers of a service are replaced, where the files or the call say so.
    pub updates: BTreeMap<String, Update>,
    /// Services whose containers end by themselves, and whose end is waited for.
    pub jobs: Vec<String>,
    /// What is to be said before anything happens.
    pub warnings: Vec<String>,
}

impl Place {
    /// Does a container in it give way to another one?
    pub fn is_replaced(&self) -> bool {
        self.present.is_some() && matches!(self.step, Step::Put(_) | Step::Reinstate(_))
    }

    /// Does the container that is in it now go?
    pub fn gives_up(&self) -> bool {
        self.present.is_some() && matches!(self.step, Step::Put(_) | Step::Reinstate(_) | Step::Remove)
    }

    /// What happens at the place when all goes well.
    pub fn action(&self) -> Action {
        match &self.step {
            Step::Keep => Action::Unchanged,
            Step::Start => Action::Started,
            Step::Restart => Action::Restarted,
            Step::Put(_) if self.present.is_none() => Action::Created,
            Step::Put(_) | Step::Reinstate(_) => Action::Recreated,
            Step::Remove => Action::Removed,
        }
    }
}

impl Plan {
    /// Is everything as it should be, so that nothing is done and nothing waited for?
    pub fn rests(&self) -> bool {
        let rests = |service: &String, place: &Place| {
            let is_job = self.jobs.contains(service);
            let settled = |present: &Container| gate::is_settled(present) && !(is_job && present.is_running());
            matches!(place.step, Step::Keep) && place.present.as_ref().is_some_and(settled)
        };
        self.places.iter().all(|(service, places)| places.iter().all(|place| rests(service, place)))
    }

    /// Says what is to be said before anything happens.
    pub fn warn(&self, context: &Context<'_>) {
        self.warnings.iter().for_each(|line| context.log(LogStream::Warn, line));
    }

    /// Every place that gets a new container.
    pub fn put(&self) -> impl Iterator<Item = (&Place, &Desired)> {
        self.places.values().flatten().filter_map(|place| match &place.step {
            Step::Put(desired) => Some((place, desired.as_ref())),
            _ => None,
        })
    }
}
