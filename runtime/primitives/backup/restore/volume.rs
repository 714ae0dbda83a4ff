//! A part that is a folder, restored to a Docker volume.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use super::super::source::{Kind, Source};
use super::{Options, Work};
use crate::drivers::backup::{Flow, Tally, compare};
use crate::primitive::{Context, Failure, FailureKind, Need, Outcome};
use crate::primitives::backup::volume::{Facts, Placing, There};

impl Work {
    /// Fills the volume, and compares.
    pub(super) fn restore_volume(
        &self,
        context: &Context<'_>,
        placing: &Placing,
        options: &Options,
    ) -> Result<Outcome, Failure> {
        if !self.repository.is_folder(&self.snapshot.id, &self.inside)? {
            let message = format!("`{}` is no folder: restore it to a file or with a command", self.inside);
            return Err(Failure::new(FailureKind::Argument, message));
        }
        let there = placing.there(context, false)?;
        if there == There::Something {
            if options.replace {
                context.granted(&Need::docker(&placing.target.id, "remove_volume"))?;
            }
            let kind = Kind::Volume(Box::new(placing.target.clone()));
            let source = Source { name: placing.target.name.clone(), kind };
            self.make_room_for(context, &placing.target.shown(), source, options.replace, options.within)?;
        }
        // What is in the repository is looked at before anything is touched.
        let mut came = Tally::default();
        let (meter, bytes) = (self.repository.meter(), self.record.as_ref().map(|record| record.tally.bytes));
        meter.begin("reading", Flow::Content, bytes);
        self.repository.count(&self.snapshot.id, &self.inside, &mut came)?;
        let wanted = self.record.as_ref().map_or(&came, |record| &record.tally);
        let differs = |what: String, hint: &str| {
            let short = self.snapshot.short();
            let message = format!("what was restored is not what snapshot {short} has to hold: {what}");
            Failure::new(FailureKind::Check, message).hint(hint)
        };
        compare(wanted, &came, &came, true).map_err(|what| differs(what, "nothing was touched"))?;
        let saved: Option<Facts> = self.record.as_ref().and_then(|record| {
            let facts = record.facts.get("volume")?;
            serde_json::from_value(facts.clone()).ok()
        });
        let packing =
            |name: &Path, out: &mut dyn Write| self.repository.pack(&self.snapshot.id, &self.inside, name, out);
        meter.begin("restoring", Flow::Content, bytes);
        let packed = placing.fill(context, there, saved.as_ref(), &packing)?;
        let found: Tally = placing.count(context)?;
        compare(wanted, &packed, &found, true)
            .map_err(|what| differs(what, "does anybody write to the volume meanwhile?"))?;
        let note = format!("{} files, verified", found.files);
        Ok(Outcome::changed(self.result(&found)).note(note))
    }

    /// It happened when the volume holds what the snapshot has to hold.
    pub(super) fn is_in_volume(&self, context: &Context<'_>, placing: &Placing) -> Result<Option<Value>, Failure> {
        let Some(record) = &self.record else { return Ok(None) };
        let found: Tally = placing.count(context)?;
        let is_done = found.content == record.tally.content && found.rights == record.tally.rights;
        Ok(is_done.then(|| self.result(&found)))
    }
}
