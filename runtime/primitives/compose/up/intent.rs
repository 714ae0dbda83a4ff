//! What `up` is about to do, noted before it does it: a later process that goes on with the call finds most of it done,
//! and must tell of it as if it had done everything itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::manner::Manner;
use super::place::{Action, Place, Plan, Step};
use super::work::Done;
use crate::drivers::docker::ContainerState;
use crate::primitive::{Change, Context, Failure};
use crate::primitives::compose::images::Held;
use crate::primitives::on_engine::{PLACED_BY, add, is_own, noted};

/// What a call is about to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Intent {
    /// Images, networks and volumes.
    pub made: Vec<Change>,
    /// By the name of the place.
    places: BTreeMap<String, Intended>,
}

/// What is to happen at a place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Intended {
    service: String,
    number: u64,
    action: Action,
    reasons: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
    /// What was in the place: the name of its image, and when it was started.
    before: Option<(String, String)>,
    image: Held,
    image_name: String,
}

impl Intent {
    /// What an earlier process noted of this call.
    pub fn of_earlier(context: &Context<'_>) -> Self {
        noted(context).unwrap_or_default()
    }

    /// Did no earlier process begin anything?
    pub fn is_empty(&self) -> bool {
        self.made.is_empty() && self.places.is_empty()
    }

    /// What an earlier process was about to do at a place.
    pub fn of(&self, place: &str) -> Option<&Intended> {
        self.places.get(place)
    }

    /// Was an earlier process about to replace what was in a place?
    pub fn replaced(&self, place: &str) -> bool {
        self.of(place).is_some_and(|earlier| earlier.action == Action::Recreated)
    }

    /// Takes a plan in, decided anew after a crash: what the earlier process did is not done again.
    pub fn adjust(&self, context: &Context<'_>, plan: &mut Plan) {
        for place in plan.places.values_mut().flatten() {
            let (Some(earlier), Some(present)) = (self.places.get(&place.name), &place.present) else { continue };
            let own = is_own(context, &present.labels, PLACED_BY);
            let started = earlier.before.as_ref().map(|(_, started)| started);
            match place.step {
                // It ran and ended: whether that was well the gate will tell.
                Step::Start if own && present.state == ContainerState::Exited => place.step = Step::Keep,
                Step::Keep if earlier.action == Action::Restarted && started == Some(&present.started) => {
                    place.step = Step::Restart;
                }
                _ => {}
            }
        }
    }

    /// Notes what is to happen, if anything is. What an earlier process noted stays.
    pub fn mark(&self, context: &Context<'_>, plan: &Plan, made: Vec<Change>) -> Result<Self, Failure> {
        let mut all = self.clone();
        add(&mut all.made, made);
        for place in plan.places.values().flatten().filter(|place| place.action() != Action::Unchanged) {
            all.places.entry(place.name.clone()).or_insert_with(|| Intended::of(place));
        }
        if !all.made.is_empty() || !all.places.is_empty() {
            context.mark(&json!(all))?;
        }
        Ok(all)
    }

    /// What was done, with what the earlier process had done.
    pub fn complete(&self, mut done: Vec<Done>) -> Vec<Done> {
        for (name, earlier) in &self.places {
            match done.iter_mut().find(|done| done.place.name == *name) {
                Some(done) => {
                    done.action = earlier.action;
                    done.place.reasons.clone_from(&earlier.reasons);
                    done.place.notes.clone_from(&earlier.notes);
                    done.place.was = earlier.before.as_ref().map(|(image, _)| image.clone());
                }
                None => done.push(Done {
                    place: earlier.place(name),
                    action: earlier.action,
                    container: None,
                    timing: None,
                }),
            }
        }
        done
    }
}

impl Intended {
    fn of(place: &Place) -> Self {
        Self {
            service: place.service.clone(),
            number: place.number,
            action: place.action(),
            reasons: place.reasons.clone(),
            notes: place.notes.clone(),
            before: place.present.as_ref().map(|present| (present.image.clone(), present.started.clone())),
            image: place.image.clone(),
            image_name: place.image_name.clone(),
        }
    }

    fn place(&self, name: &str) -> Place {
        Place {
            service: self.service.clone(),
            number: self.number,
            name: name.to_owned(),
            present: None,
            was: self.before.as_ref().map(|(image, _)| image.clone()),
            step: Step::Keep,
            idle: true,
            reasons: self.reasons.clone(),
            manner: Manner::default(),
            notes: self.notes.clone(),
            image: self.image.clone(),
            image_name: self.image_name.clone(),
            condition: None,
        }
    }
}
