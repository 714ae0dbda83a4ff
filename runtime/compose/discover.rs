//! The compose files of a folder, where nobody names any.

use std::path::{Path, PathBuf};

/// Names that are looked for, in this order.
pub const USUAL_FILES: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The first of the usual files in a folder, and its `override` file where there is one; empty when there is none.
pub fn usual_files(folder: &Path) -> Vec<PathBuf> {
    let Some(found) = USUAL_FILES.iter().map(|name| folder.join(name)).find(|file| file.is_file()) else {
        return Vec::new();
    };
    let (first, second) =
        if found.extension().is_some_and(|end| end == "yml") { ("yml", "yaml") } else { ("yaml", "yml") };
    let overrides = [first, second].map(|end| found.with_extension(format!("override.{end}")));
    let over = overrides.into_iter().find(|file| file.is_file());
    std::iter::once(found).chain(over).collect()
}
