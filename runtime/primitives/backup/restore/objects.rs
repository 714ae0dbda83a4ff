//! A part that is a folder, restored to a bucket: only what differs travels.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::source::{Kind, Source};
use super::{Options, Work};
use crate::drivers::backup::{Flow, Tally, compare};
use crate::primitive::{Context, Failure, FailureKind, LogStream, Outcome};
use crate::primitives::backup::objects::{AllWanted, Differing, Facts, Placing, Saved, Wanting, writing};

/// How many differences people are shown.
const SHOWN: usize = 20;

impl Work {
    /// Writes what is missing or different, removes with `replace` what does not belong there, and compares.
    pub(super) fn restore_objects(
        &self,
        context: &Context<'_>,
        placing: &Placing,
        options: &Options,
    ) -> Result<Outcome, Failure> {
        // What is in the repository is looked at before anything is touched.
        let (wanted, tally) = self.wanted_objects()?;
        let bucket = placing.open(context)?;
        let before = placing.compare(&bucket, &wanted)?;
        let lost = before.lost();
        if !before.content.is_empty() || options.replace && !lost.is_empty() {
            let only = placing.target.only(lost);
            let source = Source { name: only.name.clone(), kind: Kind::Bucket(Box::new(only)) };
            self.make_room_for(context, &placing.target.shown(), source, options.replace, options.within)?;
        }
        let written = before.written();
        let bytes = wanted.iter().filter(|(name, _)| written.contains(*name)).map(|(_, one)| one.bytes).sum();
        self.repository.meter().begin("restoring", Flow::Content, Some(bytes));
        let saved = self.saved_objects();
        writing(&bucket, &written, &saved, |writing| {
            self.repository.each_file(&self.snapshot.id, &self.inside, writing)
        })?;
        if options.replace {
            before.extra.iter().try_for_each(|name| bucket.remove(name))?;
        }
        let after = placing.compare(&bucket, &wanted)?;
        let left = after.missing.iter().chain(&after.content).chain(after.extra.iter().filter(|_| options.replace));
        if let Some(first) = left.into_iter().next() {
            let message = format!("{} is not what was restored to it: `{first}` differs", placing.target.shown());
            return Err(Failure::new(FailureKind::Check, message).hint("does anybody else write to it meanwhile?"));
        }
        let value = self.in_bucket(&tally, &before, &after);
        let note = format!("{} of {} files written, verified", written.len(), tally.files);
        if before.missing.is_empty() && before.content.is_empty() && after.extra.len() == before.extra.len() {
            return Ok(Outcome::unchanged(value).note(note));
        }
        Ok(Outcome::changed(value).note(note))
    }

    /// It happened when the bucket holds what the snapshot has to hold.
    pub(super) fn is_in_bucket(
        &self,
        context: &Context<'_>,
        placing: &Placing,
        options: &Options,
    ) -> Result<Option<Value>, Failure> {
        let (wanted, tally) = self.wanted_objects()?;
        let there = placing.compare(&placing.open(context)?, &wanted)?;
        let is_done = there.written().is_empty() && (there.extra.is_empty() || !options.replace);
        Ok(is_done.then(|| self.in_bucket(&tally, &there, &there)))
    }

    /// Says what would be written and removed, and changes nothing.
    pub(super) fn compare_objects(&self, context: &Context<'_>, placing: &Placing) -> Result<Outcome, Failure> {
        let (wanted, _) = self.wanted_objects()?;
        let there = placing.compare(&placing.open(context)?, &wanted)?;
        let all = there.lines();
        for (name, what) in all.iter().take(SHOWN) {
            context.log(LogStream::Stdout, &format!("{what} {name}"));
        }
        let note = if all.is_empty() { "nothing would change".into() } else { format!("{} differences", all.len()) };
        let differences: Vec<Value> = all.iter().map(|(path, what)| json!({ "path": path, "what": what })).collect();
        let value = json!({ "snapshot": self.snapshot.id, "part": self.inside, "differences": differences });
        Ok(Outcome::from(value).note(note))
    }

    fn in_bucket(&self, tally: &Tally, before: &Differing, after: &Differing) -> Value {
        json!({
            "snapshot": self.snapshot.id, "part": self.inside, "files": tally.files, "bytes": tally.bytes,
            "written": before.written().len(), "removed": before.extra.len().saturating_sub(after.extra.len()),
            "extra": after.extra.len(),
        })
    }

    /// Every object as it has to be, and all of them together, compared with the manifest.
    fn wanted_objects(&self) -> Result<(AllWanted, Tally), Failure> {
        let wrong = |message: String| Failure::new(FailureKind::Argument, message);
        if !self.repository.is_folder(&self.snapshot.id, &self.inside)? {
            return Err(wrong(format!("`{}` is no folder, whose files could be objects", self.inside)));
        }
        let bytes = self.record.as_ref().map(|record| record.tally.bytes);
        self.repository.meter().begin("reading", Flow::Content, bytes);
        let mut wanting = Wanting::default();
        let came = self.repository.each_file(&self.snapshot.id, &self.inside, &mut wanting)?;
        if came.links > 0 {
            return Err(wrong(format!("`{}` has links, which a bucket cannot hold", self.inside))
                .hint("leave them out when it is saved, or restore it to a folder"));
        }
        compare(self.record.as_ref().map_or(&came, |record| &record.tally), &came, &came, false).map_err(|what| {
            let message = format!("snapshot {} does not have what it has to hold: {what}", self.snapshot.short());
            Failure::new(FailureKind::Check, message).hint("nothing was touched")
        })?;
        Ok((wanting.all, came))
    }

    /// What was said of each object where the part was a bucket.
    fn saved_objects(&self) -> BTreeMap<String, Saved> {
        let facts = self.record.as_ref().and_then(|record| record.facts.get("bucket"));
        let facts = facts.and_then(|facts| serde_json::from_value::<Facts>(facts.clone()).ok());
        facts.map(|facts| facts.objects).unwrap_or_default()
    }
}
