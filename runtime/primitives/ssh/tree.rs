//! Files and folders that travel between this machine and a host: what there is on either side, by checksum.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;

use super::placed::{RIGHTS, Rights};
use crate::drivers::disk::{Checksum, Tree};
use crate::drivers::ssh::{GO_HOME, needing, quoted};
use crate::primitive::{Failure, FailureKind};

/// One entry of a folder of this machine, by its path below it.
pub struct Entry {
    /// Its path below the folder, as it is on both sides.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder, with its permissions.
    Folder(u32),
    /// A file, with its permissions, size and checksum.
    File(u32, u64, String),
    /// A link, with what it says.
    Link(String),
}

/// Everything in a file or folder of this machine, folders before what is in them. A single file gets the name it is to have.
///
/// It is read by way of what is held open: a name that is made a link meanwhile leads nowhere else.
pub fn local(
    held: Tree,
    shown: &str,
    name: &str,
    still_wanted: &dyn Fn() -> Result<(), Failure>,
) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    let top = Rc::new(held);
    let mut open = vec![(top.clone(), None, name.to_owned())];
    while let Some((folder, below, name)) = open.pop() {
        still_wanted()?;
        let path = if below.is_some() { format!("{shown}/{name}") } else { shown.to_owned() };
        let failed = |error: &std::io::Error| Failure::system(format!("read `{path}`"), error);
        let entry = match below {
            Some(below) => Rc::new(folder.child(below).map_err(|error| failed(&error))?),
            None => folder,
        };
        let metadata = entry.metadata().map_err(|error| failed(&error))?;
        let mode = metadata.permissions().mode() & 0o777;
        let kind = if metadata.is_dir() {
            for found in entry.names().map_err(|error| failed(&error))?.into_iter().rev() {
                let Some(found) = found.to_str().filter(|name| !name.contains(['\n', '\r', '\\'])) else {
                    let message = format!("`{path}` has an entry with a name that cannot travel: {}", found.display());
                    return Err(Failure::new(FailureKind::Invalid, message));
                };
                let inside = if name.is_empty() { found.to_owned() } else { format!("{name}/{found}") };
                open.push((entry.clone(), Some(found.to_owned()), inside));
            }
            Kind::Folder(mode)
        } else if metadata.is_file() {
            let sum = entry.read().and_then(checksum).map_err(|error| failed(&error))?;
            Kind::File(mode, metadata.len(), sum)
        } else if metadata.is_symlink() {
            let to = entry.link().map_err(|error| failed(&error))?;
            Kind::Link(to.to_string_lossy().into_owned())
        } else {
            let message = format!("`{path}` is neither a file nor a folder nor a link");
            return Err(Failure::new(FailureKind::Invalid, message));
        };
        if !name.is_empty() {
            entries.push(Entry { name, kind });
        }
    }
    Ok(entries)
}

/// SHA-256 of a file of this machine.
pub fn checksum(mut file: File) -> std::io::Result<String> {
    let mut sum = Checksum::default();
    let mut piece = vec![0; 256 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(sum.finish()),
            length => sum.add(&piece[..length]),
        }
    }
}

/// What is at a path of the host.
#[derive(Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// A folder.
    Folder,
    /// A file: its checksum, and whose it is.
    File(String, Rights),
    /// A link, with what it says.
    Link(String),
    /// A device or a pipe.
    Other,
}

/// A script that tells about the paths it reads, each ended by a NUL byte. With `all`, also which files there are besides.
pub fn look(base: &str, all: bool) -> String {
    let base = quoted(base);
    let rest = if all { "find . \\( -type f -o -type l \\) -print" } else { ":" };
    format!(
        "{}{GO_HOME}\numask 077\nlist=$(mktemp) || {{ finish failed; exit; }}\ntrap 'rm -f -- \"$list\"' EXIT\ncat >\"$list\"\n\
         if [ ! -d {base} ]; then\nif [ -e {base} ] || [ -L {base} ]; then finish other {base}; else echo new; finish done; fi\n\
         exit\nfi\ncd -- {base} || {{ finish failed; exit; }}\n\
         xargs -0 sh -c 'for p; do if [ -L \"$p\" ]; then printf \"L %s\\n\" \"$(readlink -- \"$p\" | tr \"\\n\" \"?\")\"; \
         elif [ -d \"$p\" ]; then echo D; elif [ -f \"$p\" ]; then echo F; elif [ -e \"$p\" ]; then echo O; else echo N; fi; done' sh <\"$list\"\n\
         echo ==\nxargs -0 sha256sum -- <\"$list\" 2>/dev/null\n\
         echo ==\nxargs -0 stat -L -c '%n/ {RIGHTS}' -- <\"$list\" 2>/dev/null\n\
         echo ==\n{rest}\nfinish done",
        needing("cat chmod chown find mkdir mktemp mv readlink rm sha256sum stat sync tar tr xargs")
    )
}

/// What a host has, by the answer of the script.
#[derive(Debug, Default)]
pub struct Remote {
    /// Is the folder itself there?
    pub is_there: bool,
    /// What is at each path.
    pub there: BTreeMap<String, There>,
    /// Files and links, where they were asked for.
    pub all: Vec<String>,
}

impl Remote {
    /// Reads the answer about these paths.
    pub fn parse(answer: &str, names: &[&str]) -> Option<Self> {
        if answer.trim_end() == "new" {
            return Some(Self::default());
        }
        let mut parts = answer.split("==\n");
        let (kinds, sums, rights, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sums: BTreeMap<&str, &str> =
            sums.lines().filter_map(|line| line.split_once("  ")).map(|(sum, name)| (name, sum)).collect();
        let rights: BTreeMap<&str, &str> = rights.lines().filter_map(|line| line.rsplit_once("/ ")).collect();
        let mut there = BTreeMap::new();
        let mut kinds = kinds.lines();
        for name in names {
            let kind = kinds.next()?;
            let found = match kind.split_at_checked(1)? {
                ("N", _) => There::Nothing,
                ("D", _) => There::Folder,
                ("F", _) => There::File((*sums.get(name)?).to_owned(), Rights::parse(rights.get(name)?)),
                // `tr` made the end of the line visible, too.
                ("L", to) => There::Link(to.trim_start().trim_end_matches('?').to_owned()),
                _ => There::Other,
            };
            there.insert((*name).to_owned(), found);
        }
        let all = rest.lines().map(|line| line.strip_prefix("./").map(str::to_owned)).collect::<Option<Vec<_>>>()?;
        Some(Self { is_there: true, there, all })
    }

    /// What is at a path.
    pub fn at(&self, name: &str) -> &There {
        self.there.get(name).unwrap_or(&There::Nothing)
    }
}

/// Writes entries of a folder, or a single file, as a tar archive: lists first, then the entries below `files/`. Everything belongs
/// to root in there.
pub fn pack(
    to: impl Write,
    lists: &[(&str, String)],
    held: &Tree,
    entries: &[&Entry],
    mode: Option<u32>,
) -> std::io::Result<()> {
    let is_folder = held.metadata()?.is_dir();
    let mut archive = tar::Builder::new(std::io::BufWriter::with_capacity(128 << 10, to));
    let header = |size: u64, mode: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        // The host gives each the time at which it arrives: servers tell versions of a file apart by that.
        header.set_mtime(1);
        header
    };
    for (name, text) in lists {
        archive.append_data(&mut header(text.len() as u64, 0o600), name, text.as_bytes())?;
    }
    let mut top = header(0, 0o700);
    top.set_entry_type(tar::EntryType::Directory);
    archive.append_data(&mut top, "files/", std::io::empty())?;
    for entry in entries {
        let name = format!("files/{}", entry.name);
        match &entry.kind {
            Kind::Folder(own) => {
                let mut header = header(0, *own);
                header.set_entry_type(tar::EntryType::Directory);
                archive.append_data(&mut header, format!("{name}/"), std::io::empty())?;
            }
            Kind::File(own, size, _) => {
                let file = if is_folder { held.file(Path::new(&entry.name)) } else { held.read() }?.take(*size);
                archive.append_data(&mut header(*size, mode.unwrap_or(*own)), &name, file)?;
            }
            Kind::Link(to) => {
                let mut header = header(0, 0o777);
                header.set_entry_type(tar::EntryType::Symlink);
                archive.append_link(&mut header, &name, to)?;
            }
        }
    }
    archive.into_inner()?.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_by_the_order_of_the_questions() {
        let answer =
            "F\nN\nL ../x y?\nD\n==\nabc  a b\n==\na b/ 644 0:0 root:root\nd/ 755 0:0 root:root\n==\n./a b\n./z\n";
        let remote = Remote::parse(answer, &["a b", "none", "link", "d"]).unwrap();
        assert_eq!(*remote.at("a b"), There::File("abc".into(), Rights::parse("644 0:0 root:root")));
        assert_eq!((remote.at("none"), remote.at("d")), (&There::Nothing, &There::Folder));
        assert_eq!(*remote.at("link"), There::Link("../x y".into()));
        assert_eq!(remote.all, ["a b", "z"]);
        assert!(!Remote::parse("new\n", &["a"]).unwrap().is_there);
        assert!(Remote::parse("F\n==\n", &["a"]).is_none());
    }
}
