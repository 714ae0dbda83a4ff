//! A part that is the images of a deployment, given back to an engine.

use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use super::Work;
use crate::primitive::{Context, Failure, FailureKind, LogStream, Outcome};
use crate::primitives::backup::deployment::{ImagesPlacing, SavedImage};

impl Work {
    /// Reads the archive to see that it is what it has to be, loads it where an image is missing, compares, and names them.
    pub(super) fn restore_images(&self, context: &Context<'_>, placing: &ImagesPlacing) -> Result<Outcome, Failure> {
        let wanted = self.wanted_images()?;
        let before = placing.in_the_way(context, &wanted)?;
        let tally = self.intact()?;
        let is_new = !placing.has(context, &wanted)?;
        if is_new {
            let (poured, loaded, _) =
                self.pour_through(|input| placing.load(context, ReaderStream::with_capacity(input, 256 << 10)));
            loaded?;
            // An engine may end before the padding of the archive: what counts is what it has.
            if let Err(failure) = poured {
                context.log(LogStream::Warn, &format!("the archive was not read to its end: {}", failure.message));
            }
        }
        if !placing.has(context, &wanted)? {
            let message = format!("an image of `{}` arrived as another one, or not at all", self.inside);
            return Err(Failure::new(FailureKind::Check, message));
        }
        let named = placing.name(context, &wanted, &before)?;
        if !placing.has_named(context, &wanted)? {
            let message = format!("an image of `{}` did not get its name", self.inside);
            return Err(Failure::new(FailureKind::Check, message).hint("does anybody else name images meanwhile?"));
        }
        let mut value = self.given(&named, wanted.len());
        value["bytes"] = json!(tally.bytes);
        let note = format!("{} images, verified", wanted.len());
        Ok(Outcome::changed(value).note(note))
    }

    /// It happened when each image is there under its names.
    pub(super) fn are_there(&self, context: &Context<'_>, placing: &ImagesPlacing) -> Result<Option<Outcome>, Failure> {
        let wanted = self.wanted_images()?;
        if !placing.has(context, &wanted)? || !placing.has_named(context, &wanted)? {
            return Ok(None);
        }
        let named = placing.name(context, &wanted, &[])?;
        Ok(Some(Outcome::changed(self.given(&named, wanted.len()))))
    }

    fn given(&self, named: &[(String, String)], files: usize) -> Value {
        let images: serde_json::Map<String, Value> = named.iter().map(|(name, id)| (name.clone(), json!(id))).collect();
        let bytes = self.record.as_ref().map_or(0, |record| record.tally.bytes);
        json!({
            "snapshot": self.snapshot.id, "part": self.inside, "files": files, "bytes": bytes, "images": images,
        })
    }

    fn wanted_images(&self) -> Result<Vec<SavedImage>, Failure> {
        let facts = self.record.as_ref().and_then(|record| record.facts.get("images"));
        let facts = facts.ok_or_else(|| {
            let message = format!("`{}` of snapshot {} has no images", self.inside, self.snapshot.short());
            Failure::new(FailureKind::Argument, message)
                .hint("`backup` saves them with `#{ deployment, images: true }`")
        })?;
        serde_json::from_value(facts.clone()).map_err(|error| {
            Failure::new(FailureKind::Invalid, format!("the manifest of snapshot {}: {error}", self.snapshot.short()))
        })
    }
}
