use serde_json::{Value, json};

use super::{Foreseen, ask, converge, method, needs, touches};
use crate::drivers::docker::{Budget, Pruned, Reference};
use crate::primitive::{
    Action, ByteSize, Call, Change, Context, Effect, Failure, Need, Outcome, Prediction, Primitive, Recovery, Spec,
    Touches,
};

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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&SPEC, call, ["*".to_owned()])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        converge(
            context,
            || pruning(context, call),
            |foreseen| {
                let pruned: Pruned = serde_json::from_value(foreseen.outcome.value.clone()).unwrap_or_default();
                ask(context, call, "removing images", async |engine| {
                    for name in &pruned.removed {
                        engine.remove_image(name, false).await?;
                    }
                    Ok(())
                })
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("image", None))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        pruning(context, call).map(Foreseen::prediction)
    }
}

fn pruning(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let options: Options = call.options()?;
    let repository = options.repository.as_deref().map(Reference::parse).transpose()?;
    let budget = Budget {
        keep: options.keep,
        max_size: options.max_size.map(|size| size.0),
        repository: repository.map(|reference| reference.name()),
        protect: options.protect,
    };
    let pruned = ask(context, call, "looking at images", async |engine| engine.images_beyond(&budget).await)?;
    let size = ByteSize(u64::try_from(pruned.size).unwrap_or_default());
    let note = format!("{} removed, up to {size}", pruned.removed.len());
    let changes = pruned.removed.iter().map(|name| Change::new(Action::Remove, format!("image {name}")));
    let outcome = Outcome {
        changed: Some(!pruned.removed.is_empty()),
        note: Some(note),
        changes: changes.collect(),
        value: json!(pruned),
    };
    Ok(Foreseen { outcome, proof: Value::Null })
}
