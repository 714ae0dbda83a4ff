//! A restore that only says what it would change.

use serde_json::json;

use super::{Target, Work};
use crate::drivers::backup::{Flow, Lines, count, differences};
use crate::primitive::{Context, Failure, FailureKind, LogStream, Outcome, Span};
use crate::primitives::backup::hosted::There;
use crate::primitives::backup::repository::wanted;

/// How many differences people are shown.
const SHOWN: usize = 20;

impl Work {
    /// Compares what is there with what would be there, and changes nothing.
    pub(super) fn compare_only(&self, context: &Context<'_>, owners: bool, within: Span) -> Result<Outcome, Failure> {
        let mut there = Lines::default();
        match &self.target {
            Target::Path(placing) if placing.target.is_dir() => {
                count(&placing.target, &wanted(context, within), &mut there)?;
            }
            Target::Path(placing) if !placing.target.exists() => {}
            Target::Volume(placing) => there = placing.count(context)?,
            Target::There(placing) if placing.there(context)? != There::File => there = placing.count(context)?,
            _ => {
                return Err(Failure::new(FailureKind::Option, "`dry_run` compares folders and volumes")
                    .hint("restore to another place, and compare there"));
            }
        }
        let mut saved = Lines::default();
        if !self.repository.is_folder(&self.snapshot.id, &self.inside)? {
            return Err(Failure::new(FailureKind::Option, format!("`{}` is no folder to be compared", self.inside)));
        }
        let bytes = self.record.as_ref().map(|record| record.tally.bytes);
        self.repository.meter().begin("comparing", Flow::Content, bytes);
        self.repository.count(&self.snapshot.id, &self.inside, &mut saved)?;
        let all = differences(&saved, &there, owners);
        for one in all.iter().take(SHOWN) {
            context.log(LogStream::Stdout, &format!("{} {}", one.what, one.path));
        }
        if all.len() > SHOWN {
            context.log(LogStream::Stdout, &format!("and {} more", all.len() - SHOWN));
        }
        let note = if all.is_empty() { "nothing would change".into() } else { format!("{} differences", all.len()) };
        let value = json!({ "snapshot": self.snapshot.id, "part": self.inside, "differences": all });
        Ok(Outcome::from(value).note(note))
    }
}
