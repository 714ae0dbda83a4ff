//! A part restored to a path of a host.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use super::super::hosted::{Placing, There};
use super::super::private::Private;
use super::super::source::{Kind, Source};
use super::{Options, Work};
use crate::drivers::backup::{self, Flow, Tally, compare};
use crate::primitive::{Context, Failure, FailureKind, Outcome};

impl Work {
    /// Puts the part together beside its place, compares it there, and lets it take its place.
    pub(super) fn restore_there(
        &self,
        context: &Context<'_>,
        placing: &Placing,
        options: &Options,
    ) -> Result<Outcome, Failure> {
        placing.settle(context)?;
        let is_folder = self.repository.is_folder(&self.snapshot.id, &self.inside)?;
        let there = placing.there(context)?;
        if there != There::Nothing {
            self.make_room_there(context, placing, there, options)?;
        }
        let found = if is_folder { self.unpack_there(context, placing)? } else { self.write_there(context, placing)? };
        placing.put(context)?;
        let note = format!("{} files, verified", found.files);
        Ok(Outcome::changed(self.result(&found)).note(note))
    }

    /// Saves what is there: a database as SQLite copies it, or as the file it is where it is damaged.
    fn make_room_there(
        &self,
        context: &Context<'_>,
        placing: &Placing,
        there: There,
        options: &Options,
    ) -> Result<(), Failure> {
        let target = Box::new(placing.target.clone());
        let name = target.path.rsplit('/').next().unwrap_or_default().to_owned();
        let save = |kind| {
            let source = Source { name: name.clone(), kind };
            self.make_room_for(context, &placing.target.shown(), source, options.replace, options.within)
        };
        let is_database = self.record.as_ref().is_some_and(|record| record.facts.get("sqlite").is_some());
        match there {
            There::Folder => save(Kind::FolderThere { place: target, exclude: Vec::new() }),
            There::File if is_database => match save(Kind::SqliteThere(target.clone())) {
                Err(failure) if failure.kind == FailureKind::Invalid => save(Kind::FileThere(target)),
                done => done,
            },
            There::File | There::Nothing => save(Kind::FileThere(target)),
        }
    }

    fn unpack_there(&self, context: &Context<'_>, placing: &Placing) -> Result<Tally, Failure> {
        let meter = self.repository.meter();
        meter.begin("restoring", Flow::Content, self.record.as_ref().map(|record| record.tally.bytes));
        let packing =
            |name: &Path, out: &mut dyn Write| self.repository.pack(&self.snapshot.id, &self.inside, name, out);
        let (came, there) = placing.unpack(context, &packing)?;
        self.is_as_saved(&came, &there, placing.owners)
    }

    fn write_there(&self, context: &Context<'_>, placing: &Placing) -> Result<Tally, Failure> {
        // Here first: a database is looked into before it travels.
        let folder = Private::new(context, "restored", "what is restored")?;
        let target = folder.path().join("file");
        let here = backup::Placing { target: target.clone(), key: placing.key.clone(), owners: false, replace: false };
        let came = self.repository.restore(&self.snapshot, &self.inside, self.record.as_ref(), &here)?;
        let there = placing.write(context, &target)?;
        self.is_as_saved(&came, &there, false)
    }

    fn is_as_saved(&self, came: &Tally, there: &Tally, owners: bool) -> Result<Tally, Failure> {
        let wanted = self.record.as_ref().map_or(came, |record| &record.tally);
        compare(wanted, came, there, owners).map_err(|what| {
            let short = self.snapshot.short();
            let message = format!("what was restored is not what snapshot {short} has to hold: {what}");
            Failure::new(FailureKind::Check, message).hint("it is beside its place; nothing else was touched")
        })?;
        Ok(there.clone())
    }

    /// It happened when the host has what the snapshot has to hold.
    pub(super) fn is_there(&self, context: &Context<'_>, placing: &Placing) -> Result<Option<Value>, Failure> {
        let Some(record) = &self.record else { return Ok(None) };
        let is_folder = self.repository.is_folder(&self.snapshot.id, &self.inside)?;
        let found: Tally = if is_folder { placing.count(context)? } else { placing.count_file(context)? };
        let is_theirs = !is_folder || !placing.owners || found.rights == record.tally.rights;
        let is_done = found.content == record.tally.content && is_theirs;
        placing.settle(context)?;
        Ok(is_done.then(|| self.result(&found)))
    }
}
