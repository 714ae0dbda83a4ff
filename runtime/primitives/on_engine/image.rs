//! Images that come, go or move, in the words of a plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::noted;
use crate::drivers::docker::{Engine, Image, Login, Reference};
use crate::primitive::{Action, Change, Context, Failure};

/// An image that came: there was none of that name before, or another one (its id).
pub fn came(reference: &str, before: Option<&str>, now: &str) -> Option<Change> {
    let what = format!("image {reference}");
    match before {
        None => Some(Change::new(Action::Create, what).detail(format!("id: {}", short(now)))),
        Some(before) if before != now => {
            Some(Change::new(Action::Update, what).detail(format!("id: {} → {}", short(before), short(now))))
        }
        Some(_) => None,
    }
}

/// An image that is built: whether it is another one than before is known only then.
pub fn built(reference: &str, there: bool) -> Change {
    let what = format!("image {reference}");
    if there {
        Change::new(Action::Update, what).only_if(format!("building gives another image {reference}"))
    } else {
        Change::new(Action::Create, what).detail("built here")
    }
}

/// The images that names stood for before a call, noted so that the call made again after a crash knows them still.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Before(BTreeMap<String, Option<String>>);

impl Before {
    /// What became of a name.
    pub fn change(&self, reference: &str, now: &str) -> Option<Change> {
        came(reference, self.id(reference), now)
    }

    /// The id that a name stood for.
    pub fn id(&self, reference: &str) -> Option<&str> {
        self.0.get(reference)?.as_deref()
    }
}

/// Looks at the images under these names and notes them, unless an earlier process did.
pub async fn before<'n>(
    context: &Context<'_>,
    engine: &Engine,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<Before, Failure> {
    if let Some(before) = noted(context) {
        return Ok(before);
    }
    let mut before = Before::default();
    for name in names {
        before.0.insert(name.to_owned(), engine.image(name).await?.map(|image| image.id));
    }
    context.mark(&json!(before))?;
    Ok(before)
}

/// Will an earlier call of the plan bring another image of that name?
pub fn is_planned(context: &Context<'_>, reference: &str) -> Option<Change> {
    let what = format!("image {reference}");
    context.services.planned().into_iter().rev().find(|change| change.what == what && change.action != Action::Remove)
}

/// What pulling an image would change. Only the registry is asked.
pub struct Foreseen {
    /// The image under that name now.
    pub present: Option<Image>,
    /// The digest the name will stand for; `None` when an earlier call of the plan builds it.
    pub digest: Option<String>,
    /// Will the name stand for another image?
    pub is_new: bool,
    /// The change; `None` when there is none, or an earlier call of the plan makes it.
    pub change: Option<Change>,
}

/// Foresees a pull.
pub async fn foresee(
    context: &Context<'_>,
    engine: &Engine,
    reference: &Reference,
    login: Option<&Login>,
) -> Result<Foreseen, Failure> {
    let name = reference.to_string();
    let present = engine.image(&name).await?;
    let planned = is_planned(context, &name);
    if planned.as_ref().is_some_and(|planned| !is_pull(planned)) {
        return Ok(Foreseen { present, digest: None, is_new: true, change: None });
    }
    let digest = match &reference.digest {
        Some(digest) => digest.clone(),
        None => engine.registry_digest(reference, login).await?,
    };
    let known = |image: &Image| image.digests.contains(&format!("{}@{digest}", reference.name()));
    let is_new = !present.as_ref().is_some_and(known);
    let before = present.as_ref().map(|image| image.digest_in(reference).map_or("built here", short));
    let change = (is_new && planned.is_none()).then(|| {
        let (action, before) = match before {
            None => (Action::Create, String::new()),
            Some(before) => (Action::Update, format!("{before} → ")),
        };
        Change::new(action, format!("image {name}")).detail(format!("{DIGEST}{before}{}", short(&digest)))
    });
    Ok(Foreseen { present, digest: Some(digest), is_new, change })
}

/// Is this an image that a registry has?
pub fn is_pull(change: &Change) -> bool {
    change.detail.iter().any(|line| line.starts_with(DIGEST))
}

const DIGEST: &str = "digest: ";

/// The first digits of an id or digest.
fn short(id: &str) -> &str {
    id.get(..19).unwrap_or(id)
}
