//! Keeping images within a budget.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Engine, Image, Reference};
use crate::failure::Failure;

/// How many images may stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Of each repository at least the newest so many stay.
    pub keep: usize,
    /// Beyond that, unused images go, oldest first, until all together are no larger than this; `None` removes every
    /// one beyond `keep`.
    pub max_size: Option<u64>,
    /// Only images of this repository, as in `ghcr.io/acme/app`.
    pub repository: Option<String>,
    /// Ids, tags or digests that stay whatever happens: what a rollback needs.
    pub protect: Vec<String>,
}

/// What is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Names (or ids, where there was no name).
    pub removed: Vec<String>,
    /// Their sizes in bytes, added up; an upper bound of what was freed, since layers are shared.
    pub size: i64,
}

impl Engine {
    /// Images beyond the budget, to be removed. What any container was made from stays, running or not.
    pub async fn images_beyond(&self, budget: &Budget) -> Result<Pruned, Failure> {
        let used: BTreeSet<String> =
            self.containers(&[]).await?.into_iter().map(|container| container.image_id).collect();
        let images = self.images().await?;
        let mut pruned = Pruned::default();
        for image in surplus(&images, &used, budget) {
            pruned.removed.extend(if image.tags.is_empty() { vec![image.id.clone()] } else { image.tags.clone() });
            pruned.size += image.size;
        }
        Ok(pruned)
    }
}

/// The images to remove, oldest first; `images` are newest first.
fn surplus<'a>(images: &'a [Image], used: &BTreeSet<String>, budget: &Budget) -> Vec<&'a Image> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut candidates = Vec::new();
    let in_scope = |image: &Image| budget.repository.as_ref().is_none_or(|wanted| repository(image) == *wanted);
    for image in images.iter().filter(|image| in_scope(image)) {
        let count = seen.entry(repository(image)).or_default();
        *count += 1;
        // What has no name left is kept by nobody's wish.
        let nameless = image.tags.is_empty() && image.digests.is_empty();
        let kept = *count <= budget.keep && !nameless;
        if !kept && !used.contains(&image.id) && !is_protected(image, &budget.protect) {
            candidates.push(image);
        }
    }
    candidates.reverse();
    let Some(max) = budget.max_size else { return candidates };
    let mut total: i64 = images.iter().filter(|image| in_scope(image)).map(|image| image.size).sum();
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    candidates
        .into_iter()
        .take_while(|image| {
            let over = total > max;
            total -= image.size;
            over
        })
        .collect()
}

fn repository(image: &Image) -> String {
    let name = image.tags.first().or(image.digests.first());
    name.and_then(|name| Reference::parse(name).ok()).map(|reference| reference.name()).unwrap_or_default()
}

fn is_protected(image: &Image, protect: &[String]) -> bool {
    protect.iter().any(|name| {
        *name == image.id
            || image.tags.contains(name)
            || image.digests.iter().any(|digest| digest == name || digest.ends_with(&format!("@{name}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, tag: &str, size: i64) -> Image {
        let tags = if tag.is_empty() { Vec::new() } else { vec![tag.to_owned()] };
        Image { id: id.into(), tags, size, ..Image::default() }
    }

    fn ids(images: &[Image], used: &[&str], budget: &Budget) -> Vec<String> {
        let used = used.iter().map(|id| (*id).to_owned()).collect();
        surplus(images, &used, budget).into_iter().map(|image| image.id.clone()).collect()
    }

    #[test]
    fn the_newest_of_each_repository_stay_and_so_does_what_is_used() {
        let images = [
            image("5", "app:5", 10),
            image("4", "app:4", 10),
            image("9", "db:9", 10),
            image("3", "app:3", 10),
            image("2", "app:2", 10),
            image("1", "", 10),
        ];
        let budget = Budget { keep: 2, ..Budget::default() };
        assert_eq!(ids(&images, &["2"], &budget), ["1", "3"]);
        let protected = Budget { protect: vec!["app:3".into()], ..budget.clone() };
        assert_eq!(ids(&images, &["2"], &protected), ["1"]);
        let within = Budget { max_size: Some(50), ..budget.clone() };
        assert_eq!(ids(&images, &["2"], &within), ["1"]);
        let of_db = Budget { keep: 0, repository: Some("db".into()), ..Budget::default() };
        assert_eq!(ids(&images, &[], &of_db), ["9"]);
    }
}
