//! Names that keep the images of releases from being pruned.
//!
//! An image that no container uses and that has no tag is the first to go when somebody cleans up, and a tag that moved in
//! the registry leaves exactly such an image behind: the one a rollback needs. So each image of a release gets a local
//! name of its own, `runbook/PROJECT/SERVICE:TIME-ID`, and the oldest of these names are taken away again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Snapshot;
use super::snapshot::ServiceImage;
use crate::drivers::docker::{Image, Reference};
use crate::primitive::{Failure, LogStream, Release};
use crate::primitives::compose::app::App;

/// How many images are kept for going back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Those of so many releases.
    pub releases: usize,
    /// And of these only as many as this holds, in bytes; what runs stays anyway.
    pub budget: Option<u64>,
}

/// The repository of the local names of a service's images.
pub(crate) fn name_for(project: &str, service: &str) -> Option<Reference> {
    let part = |text: &str| {
        let lower = text.to_lowercase();
        let parts: Vec<&str> =
            lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
        parts.join("-")
    };
    Reference::parse(&format!("runbook/{}/{}", part(project), part(service))).ok()
}

/// Gives every image of a release its local name, unless it has one.
pub(crate) fn keep(app: &App<'_>, snapshot: &Snapshot) -> Result<(), Failure> {
    let nameless = nameless(app, snapshot);
    if nameless.is_empty() {
        return Ok(());
    }
    app.look("naming the images of the release", async {
        for (id, name) in &nameless {
            app.engine.tag(id, name).await?;
        }
        Ok(())
    })
}

/// The images of a release that have no local name, and the one that each is to get.
pub(super) fn nameless(app: &App<'_>, snapshot: &Snapshot) -> Vec<(String, Reference)> {
    let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%S").to_string();
    let nameless = |(service, image): (&String, &ServiceImage)| {
        let name = name_for(app.name(), service)?;
        let repository = format!("{}:", name.name());
        let has_one = snapshot.images.get(&image.image_id)?.tags.iter().any(|tag| tag.starts_with(&repository));
        let id = image.image_id.trim_start_matches("sha256:").get(..8).unwrap_or("image");
        (!has_one).then(|| (image.image_id.clone(), name.with_tag(&format!("{stamp}-{id}"))))
    };
    snapshot.services.iter().filter_map(nameless).collect()
}

/// Takes names away from images that none of the newest releases has. Never a reason to fail.
pub(crate) fn forget(app: &App<'_>, now: &Snapshot, releases: &[Release], kept: Kept) {
    let running: BTreeSet<String> = now.services.values().map(|image| image.image_id.clone()).collect();
    let mut needed = running.clone();
    for release in releases.iter().take(kept.releases) {
        let content: Snapshot = serde_json::from_value(release.content.clone()).unwrap_or_default();
        needed.extend(content.services.into_values().map(|image| image.image_id));
    }
    let forgotten = app.look("forgetting old images", async {
        let images = app.engine.images().await?;
        let mut names = surplus(app.name(), &images, &needed, kept.releases);
        if let Some(budget) = kept.budget {
            names.extend(beyond(app.name(), &images, &running, &names, budget));
        }
        for name in names {
            app.engine.remove_image(&name, false).await?;
        }
        Ok(())
    });
    if let Err(failure) = forgotten {
        app.context.log(LogStream::Warn, &format!("old images were not cleaned up: {failure}"));
    }
}

/// The names beyond the newest of each service, except those of images that are needed.
fn surplus(project: &str, images: &[Image], needed: &BTreeSet<String>, kept: usize) -> Vec<String> {
    let Some(prefix) = prefix(project) else { return Vec::new() };
    let mut by_service: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for image in images {
        for tag in image.tags.iter().filter(|tag| tag.starts_with(&prefix)) {
            let (repository, version) = tag.rsplit_once(':').unwrap_or((tag, ""));
            by_service.entry(repository).or_default().push((version, &image.id));
        }
    }
    let mut names = Vec::new();
    for (repository, mut versions) in by_service {
        versions.sort_unstable();
        let old = versions.iter().rev().skip(kept).filter(|(_, id)| !needed.contains(*id));
        names.extend(old.map(|(version, _)| format!("{repository}:{version}")));
    }
    names
}

/// The oldest names, whichever service they are of, that are to go until what the others hold fits into the budget.
fn beyond(project: &str, images: &[Image], running: &BTreeSet<String>, gone: &[String], budget: u64) -> Vec<String> {
    let Some(prefix) = prefix(project) else { return Vec::new() };
    let mut named: Vec<(&str, &str, &Image)> = Vec::new();
    for image in images {
        let tags = image.tags.iter().filter(|tag| tag.starts_with(&prefix) && !gone.contains(tag));
        named.extend(tags.map(|tag| (tag.rsplit_once(':').map_or("", |(_, version)| version), tag.as_str(), image)));
    }
    named.sort_unstable_by(|a, b| b.0.cmp(a.0));
    let (mut held, mut total) = (BTreeSet::new(), 0);
    let mut size = |image: &Image| {
        total += if held.insert(image.id.clone()) { u64::try_from(image.size).unwrap_or_default() } else { 0 };
        total
    };
    // What runs takes its part of the budget first.
    for (_, _, image) in named.iter().filter(|(_, _, image)| running.contains(&image.id)) {
        size(image);
    }
    let others = named.into_iter().filter(|(_, _, image)| !running.contains(&image.id));
    others.filter(|(_, _, image)| size(image) > budget).map(|(_, tag, _)| tag.to_owned()).collect()
}

fn prefix(project: &str) -> Option<String> {
    name_for(project, "x").map(|name| name.name().trim_end_matches('x').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, tag: &str) -> Image {
        Image { id: id.into(), tags: vec![tag.into()], ..Image::default() }
    }

    #[test]
    fn names_of_old_images_go_and_those_of_needed_ones_stay() {
        let images: Vec<Image> =
            (1..=8).map(|n| image(&format!("id{n}"), &format!("runbook/shop/api:2026010{n}T000000-x"))).collect();
        let others = [image("id9", "runbook/shop-eu/api:20250101T000000-x"), image("id0", "nginx:1")];
        let all: Vec<Image> = images.into_iter().chain(others).collect();
        assert_eq!(
            surplus("shop", &all, &BTreeSet::from(["id2".to_owned()]), 5),
            ["runbook/shop/api:20260103T000000-x", "runbook/shop/api:20260101T000000-x"]
        );
    }

    #[test]
    fn the_newest_images_stay_as_long_as_they_fit_into_the_budget() {
        let sized =
            |n: i64| Image { size: 100, ..image(&format!("id{n}"), &format!("runbook/shop/api:2026010{n}T000000-x")) };
        let all: Vec<Image> = (1..=5).map(sized).collect();
        let running = BTreeSet::from(["id1".to_owned()]);
        let names = beyond("shop", &all, &running, &["runbook/shop/api:20260105T000000-x".to_owned()], 250);
        assert_eq!(names, ["runbook/shop/api:20260103T000000-x", "runbook/shop/api:20260102T000000-x"]);
        assert_eq!(beyond("shop", &all, &running, &[], 500), Vec::<String>::new());
    }

    #[test]
    fn any_service_name_makes_a_valid_image_name() {
        assert_eq!(name_for("my_shop", "API.v2-").unwrap().name(), "runbook/my-shop/api-v2");
    }
}
