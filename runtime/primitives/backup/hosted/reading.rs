//! A folder of a host as a stream: what is in it is listed first, so that what is left out does not travel, and then read in order.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ignore::gitignore::Gitignore;
use tokio_util::sync::CancellationToken;

use super::super::feeding::{Taps, tap};
use super::{Spoken, Way};
use crate::drivers::ssh::quoted;
use crate::primitive::{Failure, FailureKind};

/// What GNU's `tar` is told besides: to tell of extended attributes and of fractions of seconds, and to tell what is in a file also
/// under its second name.
const GNU: &str =
    "--format=posix --pax-option=delete=atime,delete=ctime --hard-dereference --xattrs '--xattrs-include=*'";
/// What GNU's tools and those of busybox say of something that vanished after it was listed, or is written to while it is read: it is
/// left out, or as long as it was. The last two come behind such a line.
const HARMLESS: [&str; 5] = [
    "No such file or directory",
    "File removed before we read it",
    "file changed as we read it",
    "Exiting with failure status due to previous errors",
    "error exit delayed from previous errors",
];
/// What a `tar` says that was made without extended attributes.
const UNABLE: &str = "support is not available";

/// What is in a folder of a host.
pub struct Listed {
    /// Paths in the order of their names, the folder itself first.
    pub names: Vec<PathBuf>,
    /// What reads them there.
    pub tar: String,
}

impl Listed {
    /// Does that tell of extended attributes?
    pub fn has_attributes(&self, spoken: &Spoken) -> bool {
        self.tar.contains("GNU") && !spoken.complaints.contains(UNABLE)
    }

    fn input(names: &[PathBuf]) -> Vec<u8> {
        let mut input = Vec::new();
        for name in names {
            input.push(b'.');
            if !name.as_os_str().is_empty() {
                input.push(b'/');
                input.extend_from_slice(name.as_os_str().as_bytes());
            }
            input.push(0);
        }
        input
    }
}

/// Enters a folder that has to be there.
pub fn enter(path: &str) -> String {
    let quoted = quoted(path);
    format!(
        "if [ ! -d {quoted} ]; then if [ -e {quoted} ]; then finish failed {quoted} is no folder; else finish absent {quoted}; fi; exit; fi\n\
         cd -- {quoted} || {{ finish failed {quoted} cannot be entered; exit; }}\n"
    )
}

/// Lists a folder without what is left out.
pub async fn list(way: &Way, path: &str, excludes: &Gitignore, but: Option<&Path>) -> Result<Listed, Failure> {
    // An empty name separates the version, folders, and everything else.
    let text = format!(
        "{}printf '%s\\0\\0' \"$(tar --version 2>&1 | head -n 1)\"\n\
         r=0; find . -type d -print0 || r=$?; printf '\\0'; find . ! -type d -print0 || r=$?; finish listed $r",
        enter(path)
    );
    let mut listing = Vec::new();
    let spoken = way.run(&text, Vec::new(), &mut |bytes| listing.extend_from_slice(bytes)).await?;
    well(way, &spoken)?;
    let mut sections = vec![Vec::new()];
    for name in listing.split(|byte| *byte == 0) {
        match sections.last_mut() {
            Some(section) if !name.is_empty() => section.push(Path::new(OsStr::from_bytes(name))),
            _ => sections.push(Vec::new()),
        }
    }
    let (Some([version]), Some(folders), Some(others)) =
        (sections.first().map(Vec::as_slice), sections.get(1), sections.get(2))
    else {
        return Err(Failure::new(FailureKind::Invalid, format!("`{}`: the listing cannot be read", way.target.name)));
    };
    let all = folders.iter().map(|path| (path, true)).chain(others.iter().map(|path| (path, false)));
    let mut names: Vec<PathBuf> = all
        .filter_map(|(path, is_folder)| {
            let name = path.strip_prefix(".").ok()?;
            let is_root = name.as_os_str().is_empty();
            let is_out = !is_root && excludes.matched_path_or_any_parents(name, is_folder).is_ignore();
            (!is_out && !but.is_some_and(|but| name.starts_with(but))).then(|| name.to_owned())
        })
        .collect();
    names.sort();
    // What was made another kind of thing in between.
    names.dedup();
    Ok(Listed { names, tar: version.to_string_lossy().into_owned() })
}

/// Hands all that was listed to somebody who reads it as archives, one behind the other.
pub async fn read<T: Send + 'static>(
    way: &Way,
    path: &str,
    listed: &Listed,
    work: impl FnOnce(&mut dyn Read) -> Result<T, Failure> + Send + 'static,
) -> Result<(T, Spoken), Failure> {
    let Taps { pour, mut tapped } = tap();
    let reading = std::thread::spawn(move || work(&mut tapped));
    let text = format!(
        "{}if tar --version 2>/dev/null | grep -q GNU; then set -- {GNU}; else set --; fi\n\
         xargs -0 tar \"$@\" --no-recursion -cf -\nfinish read $?",
        enter(path)
    );
    let gone = CancellationToken::new();
    let mut on_bytes = |bytes: &[u8]| {
        if !pour.pour(bytes) {
            gone.cancel();
        }
    };
    let spoken = tokio::select! {
        biased;
        () = gone.cancelled() => None,
        spoken = way.run(&text, Listed::input(&listed.names), &mut on_bytes) => Some(spoken),
    };
    drop(pour);
    let lost = || Failure::new(FailureKind::System, format!("`{}`: what it sent was not read", way.target.name));
    let done = tokio::task::spawn_blocking(move || reading.join()).await.map_err(|_| lost())?.map_err(|_| lost())?;
    let Some(spoken) = spoken else { return done.and_then(|_| Err(lost())) };
    let spoken = spoken?;
    well(way, &spoken)?;
    Ok((done?, spoken))
}

/// Of what was listed and did not come: what is there all the same, and can be no part of a snapshot.
pub async fn kept_back(way: &Way, path: &str, listed: &Listed, seen: &HashSet<PathBuf>) -> Result<usize, Failure> {
    let missing: Vec<PathBuf> = listed.names.iter().filter(|name| !seen.contains(*name)).cloned().collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let text = format!(
        "{}if xargs -0 sh -c 'for p; do if [ -e \"$p\" ] || [ -L \"$p\" ]; then printf \"%s\\0\" \"$p\"; fi; done' sh; \
         then finish done; else finish failed what is missing cannot be looked for; fi",
        enter(path)
    );
    let mut there = Vec::new();
    way.run(&text, Listed::input(&missing), &mut |bytes| there.extend_from_slice(bytes)).await?;
    let Some(first) = there.split(|byte| *byte == 0).find(|name| !name.is_empty()) else { return Ok(missing.len()) };
    let name = String::from_utf8_lossy(first).trim_start_matches("./").to_owned();
    let message = format!(
        "`{}`: `{name}` in `{path}` did not come: it is neither a file nor a folder nor a link, or was replaced meanwhile",
        way.target.name
    );
    Err(Failure::new(FailureKind::Invalid, message).hint("exclude it"))
}

/// Fails when something went wrong there: whatever is not known to be harmless.
fn well(way: &Way, spoken: &Spoken) -> Result<(), Failure> {
    if spoken.words.ends_with(" 0") {
        return Ok(());
    }
    let is_harmless = |line: &&str| HARMLESS.iter().any(|known| line.trim_end().ends_with(known));
    let mut lines = spoken.complaints.lines().filter(|line| !line.trim().is_empty());
    match lines.clone().find(|line| !is_harmless(line)) {
        Some(line) => Err(way.failure(line)),
        None if lines.next().is_some() => Ok(()),
        None => Err(way.failure("the folder was not read to its end")),
    }
}
