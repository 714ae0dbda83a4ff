//! The files that go to the engine for a build.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use tokio::sync::mpsc;

use crate::drivers::disk::Tree;
use crate::failure::{Failure, FailureKind};

/// The rules of a `.dockerignore`, in which the last matching line decides.
///
/// They differ from those of a `.gitignore`: every pattern starts at the folder itself, and an exception (`!`) reaches
/// into a folder that was left out. See <https://docs.docker.com/build/concepts/context/#dockerignore-files>.
pub(super) struct Rules(Vec<(Gitignore, bool)>);

impl Rules {
    /// Reads the folder's `.dockerignore`, if it has one.
    pub fn of(folder: &Tree) -> Result<Self, Failure> {
        match text(folder, Path::new(".dockerignore")) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self(Vec::new())),
            Err(error) => Err(Failure::system("read `.dockerignore`", &error)),
        }
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let mut rules = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (pattern, included) = line.strip_prefix('!').map_or((line, false), |rest| (rest.trim(), true));
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            if pattern.is_empty() || pattern == "." {
                continue;
            }
            let mut builder = GitignoreBuilder::new("");
            let built = builder.add_line(None, &format!("/{pattern}")).and_then(|builder| builder.build());
            let matcher = built
                .map_err(|error| Failure::new(FailureKind::Invalid, format!(".dockerignore:{}: {error}", index + 1)))?;
            rules.push((matcher, included));
        }
        Ok(Self(rules))
    }

    /// Does this path, relative to the folder, stay behind?
    pub fn leave_out(&self, path: &Path, is_folder: bool) -> bool {
        let matches = |rule: &&(Gitignore, bool)| rule.0.matched_path_or_any_parents(path, is_folder).is_ignore();
        self.0.iter().rev().find(matches).is_some_and(|(_, included)| !included)
    }

    fn has_exceptions(&self) -> bool {
        self.0.iter().any(|(_, included)| *included)
    }
}

/// Packs the folder on a thread of its own; the archive arrives in pieces. What ends early ends the thread.
pub(super) fn pack(folder: Tree, dockerfile: PathBuf, rules: Rules) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let mut archive = tar::Builder::new(std::io::BufWriter::with_capacity(256 * 1024, Pieces(sender.clone())));
        let packed = add_folder(&mut archive, &folder, Path::new(""), &dockerfile, &rules)
            .and_then(|()| archive.into_inner())
            .and_then(|mut writer| writer.flush());
        if let Err(error) = packed {
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

fn add_folder<W: Write>(
    archive: &mut tar::Builder<W>,
    folder: &Tree,
    inside: &Path,
    dockerfile: &Path,
    rules: &Rules,
) -> std::io::Result<()> {
    for name in folder.names()? {
        let (path, entry) = (inside.join(&name), folder.child(&name)?);
        let is_folder = entry.metadata()?.is_dir();
        // The engine needs these two even when the image must not have them; it drops them from the context itself.
        let needed = path == dockerfile || path == Path::new(".dockerignore");
        let left_out = rules.leave_out(&path, is_folder) && !needed;
        if !left_out {
            add(archive, &entry, &path)?;
        }
        if is_folder && (!left_out || rules.has_exceptions() || dockerfile.starts_with(&path)) {
            add_folder(archive, &entry, &path, dockerfile, rules)?;
        }
    }
    Ok(())
}

/// One entry, owned by root as the engine wants it. Sockets and the like stay behind.
pub(super) fn add<W: Write>(archive: &mut tar::Builder<W>, from: &Tree, path: &Path) -> std::io::Result<()> {
    let metadata = from.metadata()?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&metadata);
    header.set_uid(0);
    header.set_gid(0);
    if metadata.is_symlink() {
        header.set_size(0);
        archive.append_link(&mut header, path, from.link()?)
    } else if metadata.is_dir() {
        header.set_size(0);
        archive.append_data(&mut header, path, std::io::empty())
    } else if metadata.is_file() {
        // A file that grows meanwhile (a log) must not spoil the archive.
        let content = from.read()?.take(metadata.len());
        archive.append_data(&mut header, path, content)
    } else {
        Ok(())
    }
}

/// A text in the folder.
pub(super) fn text(folder: &Tree, path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    folder.file(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Sends what is written to whoever reads the archive.
pub(super) struct Pieces(pub mpsc::Sender<std::io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_matching_line_decides_even_inside_a_folder_left_out() {
        let rules = Rules::parse("# comment\n*.log\nlogs\n!logs/keep\nlogs/keep/not.txt\n/**/node_modules\n").unwrap();
        let left_out = |path: &str| rules.leave_out(Path::new(path), false);
        assert!(left_out("a.log"));
        assert!(!left_out("sub/a.log"), "a pattern starts at the folder itself");
        assert!(left_out("logs/x"));
        assert!(!left_out("logs/keep/a.txt"));
        assert!(left_out("logs/keep/not.txt"));
        assert!(left_out("a/b/node_modules/x.js"));
        assert!(!left_out("main.rs"));
    }

    #[test]
    fn a_later_line_takes_an_exception_back() {
        let rules = Rules::parse("!logs/keep\nlogs\n").unwrap();
        assert!(rules.leave_out(Path::new("logs/keep"), false));
    }
}
