use serde_json::json;

use super::{ask, method};
use crate::drivers::docker::{Budget, Reference};
use crate::primitive::{ByteSize, Call, Context, Effect, Failure, Outcome, Primitive, Probe, Spec};

crate::options! {
    /// Options of `prune_images`.
    pub struct Options {
        /// Of each repository at least the newest so many stay.
        keep: usize = 3,
        /// Beyond that, remove only until all images together are no larger than this.
        max_size: Option<ByteSize>,
        /// Only images of this repository, as in `"ghcr.io/acme/app"`.
        repository: Option<String>,
        /// Ids, names or digests that stay whatever happens: what a rollback needs.
        protect: Vec<String>,
    }
}

/// Removes images beyond a budget.
pub struct PruneImages;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Destroy,
    ..method(
        "prune_images",
        &[],
        "Removes images no container was made from, oldest first, beyond a budget. Returns what was removed.",
        r#"docker().prune_images(#{ keep: 3, max_size: "10GiB" });"#,
    )
};

impl Primitive for PruneImages {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let repository = options.repository.as_deref().map(Reference::parse).transpose()?;
        let budget = Budget {
            keep: options.keep,
            max_size: options.max_size.map(|size| size.0),
            repository: repository.map(|reference| reference.name()),
            protect: options.protect,
        };
        let pruned = ask(context, call, "removing images", async |engine| engine.prune_images(&budget).await)?;
        let size = ByteSize(u64::try_from(pruned.size).unwrap_or_default());
        let note = format!("{} removed, up to {size}", pruned.removed.len());
        Ok(Outcome { value: json!(pruned), changed: Some(!pruned.removed.is_empty()), note: Some(note) })
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // A budget can be kept again.
    }
}
