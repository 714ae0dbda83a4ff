//! A part that is a dump of Redis, given back to a server that runs.

use std::io::Write;

use serde_json::{Value, json};

use super::super::source::{Kind, Source};
use super::{Options, Work};
use crate::primitive::{Context, Failure, FailureKind, Outcome};
use crate::primitives::backup::redis::{Facts, Placing, read};

impl Work {
    /// Gives the keys to the server, and compares.
    pub(super) fn restore_keys(
        &self,
        context: &Context<'_>,
        placing: &Placing,
        options: &Options,
    ) -> Result<Outcome, Failure> {
        let wanted = self.wanted_keys()?;
        let pouring = |out: &mut dyn Write| self.repository.pour(&self.snapshot.id, &self.inside, out).map(drop);
        // What is in the repository is looked at before anything is touched.
        let differences = wanted.differences(&read(&pouring, None)?);
        if let Some(first) = differences.first() {
            let message =
                format!("`{}` of snapshot {} is not what was saved: {first}", self.inside, self.snapshot.short());
            return Err(Failure::new(FailureKind::Check, message));
        }
        if placing.holds_something(context)? {
            let source =
                Source { name: placing.target.name.clone(), kind: Kind::Redis(Box::new(placing.target.clone())) };
            self.make_room_for(context, &placing.target.shown(), source, options.replace, options.within)?;
        }
        placing.fill(context, &pouring)?;
        let found = placing.verify(context, &pouring)?;
        let note = format!("{} keys, verified", found.count());
        Ok(Outcome::changed(self.given_back(&found)).note(note))
    }

    /// It happened when the server has every key.
    pub(super) fn is_in_server(&self, context: &Context<'_>, placing: &Placing) -> Result<Option<Outcome>, Failure> {
        let pouring = |out: &mut dyn Write| self.repository.pour(&self.snapshot.id, &self.inside, out).map(drop);
        match placing.verify(context, &pouring) {
            Ok(found) => Ok(Some(Outcome::changed(self.given_back(&found)))),
            Err(failure) if failure.kind == FailureKind::Check => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn given_back(&self, found: &Facts) -> Value {
        let time = self.snapshot.time.timestamp();
        json!({
            "snapshot": self.snapshot.id, "time": time, "unix": time.as_second(), "part": self.inside,
            "keys": found.count(), "kinds": found.keys,
        })
    }

    fn wanted_keys(&self) -> Result<Facts, Failure> {
        let facts = self.record.as_ref().and_then(|record| record.facts.get("redis"));
        let facts = facts.ok_or_else(|| {
            let message = format!(
                "`{}` of snapshot {} is no dump of Redis that can be compared",
                self.inside,
                self.snapshot.short()
            );
            Failure::new(FailureKind::Argument, message).hint("one that a command printed is restored with a command")
        })?;
        serde_json::from_value(facts.clone()).map_err(|error| {
            Failure::new(FailureKind::Invalid, format!("the manifest of snapshot {}: {error}", self.snapshot.short()))
        })
    }
}
