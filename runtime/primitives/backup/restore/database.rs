//! A part that is a PostgreSQL database, restored beside the one that is there.

use std::io;

use serde_json::{Value, json};

use super::super::source::{Kind, Source};
use super::super::{before, save};
use super::{Options, Work};
use crate::drivers::backup;
use crate::primitive::{Context, Failure, FailureKind, Outcome, Span};
use crate::primitives::backup::postgres::{Facts, Placing, There};

impl Work {
    /// Restores it into a new database, which takes its place once it is known to be what was saved.
    pub(super) fn restore_database(
        &self,
        context: &Context<'_>,
        placing: &Placing,
        options: &Options,
    ) -> Result<Outcome, Failure> {
        let wanted = self.wanted_database()?;
        let there = placing.there(context)?;
        if there == There::Something {
            let kind = Kind::Postgres(Box::new(placing.target.clone()));
            let source = Source { name: placing.target.dump_name(), kind };
            self.make_room_for(context, &placing.target.shown(), source, options.replace, options.within)?;
        }
        placing.tidy(context)?;
        let tally = self.repository.pour(&self.snapshot.id, &self.inside, &mut io::sink())?;
        if self.record.as_ref().is_some_and(|record| record.tally.content != tally.content) {
            let message = format!("`{}` of snapshot {} is not what was saved", self.inside, self.snapshot.short());
            return Err(Failure::new(FailureKind::Check, message));
        }
        if options.owners {
            placing.make_roles(context, &wanted, self.globals(&wanted)?.as_deref())?;
        }
        let (poured, filled, _) = self.pour_through(|dump| placing.fill(context, &wanted, dump));
        filled?;
        // Whether it took all that it was given is told by what is in the database.
        if poured.as_ref().is_err_and(|failure| failure.kind != FailureKind::System) {
            poured?;
        }
        let found = placing.verify(context, &wanted)?;
        placing.put(context, there)?;
        let note = format!("{} tables with {} rows, verified", found.tables.len(), found.rows());
        Ok(Outcome::changed(self.restored(&wanted, placing, there == There::Something)).note(note))
    }

    /// It happened when the old database has the name that only this call gives it. One that took nobody's place is looked at.
    pub(super) fn probe_database(&self, context: &Context<'_>, placing: &Placing) -> Result<Option<Outcome>, Failure> {
        let wanted = self.wanted_database()?;
        if placing.was_put(context)? {
            return Ok(Some(Outcome::changed(self.restored(&wanted, placing, true))));
        }
        let is_there = placing.there(context)? == There::Something && placing.holds(context, &wanted)?;
        Ok(is_there.then(|| Outcome::changed(self.restored(&wanted, placing, false))))
    }

    fn restored(&self, wanted: &Facts, placing: &Placing, was_there: bool) -> Value {
        let time = self.snapshot.time.timestamp();
        json!({
            "snapshot": self.snapshot.id, "time": time, "unix": time.as_second(), "part": self.inside, "database": placing.target.database,
            "tables": wanted.tables.len(), "rows": wanted.rows(), "kept": was_there.then(|| placing.old()),
        })
    }

    fn wanted_database(&self) -> Result<Facts, Failure> {
        let facts = self.record.as_ref().and_then(|record| record.facts.get("postgres"));
        let facts = facts.ok_or_else(|| {
            let message =
                format!("`{}` of snapshot {} is no database that can be compared", self.inside, self.snapshot.short());
            Failure::new(FailureKind::Argument, message).hint(
                "what a command printed is restored with a command: `#{ container, command: [\"pg_restore\", …] }`",
            )
        })?;
        serde_json::from_value(facts.clone()).map_err(|error| {
            Failure::new(FailureKind::Invalid, format!("the manifest of snapshot {}: {error}", self.snapshot.short()))
        })
    }

    /// What makes the roles, where they were saved.
    fn globals(&self, wanted: &Facts) -> Result<Option<String>, Failure> {
        let Some(name) = &wanted.globals else { return Ok(None) };
        let mut text = Vec::new();
        self.repository.pour(&self.snapshot.id, &backup::inside(name), &mut text)?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    /// Saves what is there as a snapshot of its own; without `replace`, nothing may be.
    pub(super) fn make_room_for(
        &self,
        context: &Context<'_>,
        shown: &str,
        source: Source,
        replace: bool,
        within: Span,
    ) -> Result<(), Failure> {
        if !replace {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("there is something in {shown}, and it would be lost"),
            )
            .hint("`replace: true` saves it as a snapshot first, and then puts what is restored in its place")
            .hint("or restore to another place, and compare"));
        }
        let job = self.snapshot.job.clone().unwrap_or_else(|| context.project.name().to_owned());
        let saved = save(context, &self.place, &before(context, &job), vec![source], within, false);
        saved.map(drop).map_err(|mut failure| {
            failure.message = format!("{shown} could not be saved, so it was not replaced: {}", failure.message);
            failure
        })
    }
}
