use std::path::{Path, PathBuf};

/// The space of a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its size in bytes.
    pub total: u64,
    /// What this user may still write, in bytes: without what is reserved for root.
    pub free: u64,
    /// What is taken, as `df` counts it: used of used and free, rounded up, 0 to 100.
    pub used_percent: u64,
    /// How many more files it can hold; `None` where there is no such limit.
    pub free_files: Option<u64>,
}

/// Measures the file system that holds `path`. A dead network file system may never answer: ask from a thread of its own.
pub fn space(path: &Path) -> std::io::Result<Space> {
    let path = path.canonicalize()?;
    let facts = rustix::fs::statvfs(&path)?;
    let unit = if facts.f_frsize == 0 { facts.f_bsize } else { facts.f_frsize };
    let used = facts.f_blocks.saturating_sub(facts.f_bfree);
    let counted = used + facts.f_bavail;
    Ok(Space {
        mount: mount_of(&path),
        total: facts.f_blocks.saturating_mul(unit),
        free: facts.f_bavail.saturating_mul(unit),
        used_percent: if counted == 0 { 0 } else { (used * 100).div_ceil(counted) },
        free_files: (facts.f_files > 0).then_some(facts.f_favail),
    })
}

/// The mount point above a path: the longest one in `/proc/self/mountinfo`, or the path itself where there is no such file.
fn mount_of(path: &Path) -> PathBuf {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(|field| PathBuf::from(unescaped(field)));
    let above = points.filter(|point| path.starts_with(point));
    above.max_by_key(|point| point.components().count()).unwrap_or_else(|| path.to_owned())
}

/// The kernel writes space, tab, line break and backslash as three octal digits.
fn unescaped(field: &str) -> String {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    codes.iter().fold(field.to_owned(), |text, (code, character)| text.replace(code, character))
}
