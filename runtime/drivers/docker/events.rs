//! What the engine did.

use std::collections::{BTreeMap, HashMap};

use bollard::query_parameters::EventsOptionsBuilder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::errors::failure;
use super::inspect::sorted;
use super::{Engine, stream};
use crate::failure::Failure;

/// Something the engine did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineEvent {
    /// `container`, `image`, `network`, `volume`.
    pub kind: String,
    /// `create`, `start`, `die`, `pull`, …
    pub action: String,
    /// The object's id or name.
    pub id: String,
    /// Its labels and other particulars: `name`, `image`, `exitCode`.
    pub attributes: BTreeMap<String, String>,
}

impl Engine {
    /// What the engine did since then, of objects that carry all these labels, written `name` or `name=value`.
    ///
    /// The engine remembers its last 256 events.
    pub async fn events_since(&self, since: Timestamp, labels: &[String]) -> Result<Vec<EngineEvent>, Failure> {
        let seconds = |time: Timestamp| format!("{}.{:09}", time.as_second(), time.subsec_nanosecond());
        let mut options = EventsOptionsBuilder::default().since(&seconds(since)).until(&seconds(Timestamp::now()));
        if !labels.is_empty() {
            options = options.filters(&HashMap::from([("label", labels.to_vec())]));
        }
        let api = self.api().await?;
        let mut answers = std::pin::pin!(api.events(Some(options.build())));
        let mut events = Vec::new();
        while let Some(item) = stream::next(&mut answers, stream::IDLE, "reading its events").await? {
            let event = item.map_err(|error| failure(self.address(), "read the engine's events", error))?;
            let actor = event.actor.unwrap_or_default();
            events.push(EngineEvent {
                kind: event.typ.map(|kind| kind.to_string()).unwrap_or_default(),
                action: event.action.unwrap_or_default(),
                id: actor.id.unwrap_or_default(),
                attributes: sorted(actor.attributes),
            });
        }
        Ok(events)
    }
}
