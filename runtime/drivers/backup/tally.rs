use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is in a folder, in a few numbers: two folders with the same content have the same tally, in whatever order they are
/// read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Regular files.
    pub files: u64,
    /// Folders, without the outermost.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// Over each path with what is there: the hash of a file, the target of a link.
    pub content: Sum,
    /// Over each path with its mode and numeric owners.
    pub rights: Sum,
}

/// The hashes of lines, added up so that their order does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum([u8; 32]);

impl Sum {
    fn add(&mut self, parts: &[&[u8]]) {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let line = hasher.finalize();
        // Addition, and not exclusive or: the same line twice must not vanish.
        let mut carry = 0u16;
        for (sum, byte) in self.0.iter_mut().zip(line) {
            let total = u16::from(*sum) + u16::from(byte) + carry;
            [*sum, _] = total.to_le_bytes();
            carry = total >> 8;
        }
    }
}

impl Serialize for Sum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let byte = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let bytes: Option<Vec<u8>> = (0..32).map(|place| byte(place * 2)).collect();
        let bytes = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("a hash has 64 hexadecimal digits"))
    }
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}

/// What a stream is that has so many bytes with this hash, in hexadecimal digits; none where these are none.
pub fn alone(bytes: u64, hash: &str) -> Option<Tally> {
    let sum = serde_json::from_value::<Sum>(hash.into()).ok()?;
    let mut tally = Tally::default();
    tally.file(Path::new(""), NOBODYS, bytes, &sum.0);
    Some(tally)
}

/// Who may do what with an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Permission bits.
    pub mode: u32,
    /// The numeric owner.
    pub user: u32,
    /// The numeric group.
    pub group: u32,
    /// The hash of its extended attributes, where it has any.
    pub attributes: Option<[u8; 32]>,
}

/// What stands for a stream, which has no rights of its own.
pub const NOBODYS: Rights = Rights { mode: 0o600, user: 0, group: 0, attributes: None };

/// Whoever is told of each entry of a folder.
pub trait Count {
    /// A file whose content has this hash.
    fn file(&mut self, path: &Path, rights: Rights, bytes: u64, hash: &[u8]);
    /// A folder.
    fn folder(&mut self, path: &Path, rights: Rights);
    /// A symbolic link.
    fn link(&mut self, path: &Path, target: &Path, rights: Rights);
}

impl Count for Tally {
    fn file(&mut self, path: &Path, rights: Rights, bytes: u64, hash: &[u8]) {
        Self::file(self, path, rights, bytes, hash);
    }

    fn folder(&mut self, path: &Path, rights: Rights) {
        Self::folder(self, path, rights);
    }

    fn link(&mut self, path: &Path, target: &Path, rights: Rights) {
        Self::link(self, path, target, rights);
    }
}

impl<T: Count + ?Sized> Count for &mut T {
    fn file(&mut self, path: &Path, rights: Rights, bytes: u64, hash: &[u8]) {
        (**self).file(path, rights, bytes, hash);
    }

    fn folder(&mut self, path: &Path, rights: Rights) {
        (**self).folder(path, rights);
    }

    fn link(&mut self, path: &Path, target: &Path, rights: Rights) {
        (**self).link(path, target, rights);
    }
}

/// Extended attributes in one hash; none where there are none. Their order does not count.
pub fn digest_of(attributes: &[(String, Vec<u8>)]) -> Option<[u8; 32]> {
    if attributes.is_empty() {
        return None;
    }
    let mut sum = Sum::default();
    for (name, value) in attributes {
        sum.add(&[name.as_bytes(), value]);
    }
    Some(sum.0)
}

impl Tally {
    /// Counts a file whose content has this hash.
    pub fn file(&mut self, path: &Path, rights: Rights, bytes: u64, hash: &[u8]) {
        self.files += 1;
        self.bytes += bytes;
        self.content.add(&[b"file", path.as_os_str().as_bytes(), hash]);
        self.owned(path, rights);
    }

    /// Counts a folder.
    pub fn folder(&mut self, path: &Path, rights: Rights) {
        self.folders += 1;
        self.content.add(&[b"folder", path.as_os_str().as_bytes()]);
        self.owned(path, rights);
    }

    /// Counts a link. Its mode means nothing.
    pub fn link(&mut self, path: &Path, target: &Path, rights: Rights) {
        self.links += 1;
        self.content.add(&[b"link", path.as_os_str().as_bytes(), target.as_os_str().as_bytes()]);
        self.owned(path, Rights { mode: 0o777, ..rights });
    }

    fn owned(&mut self, path: &Path, Rights { mode, user, group, attributes }: Rights) {
        let numbers = format!("{:o} {user} {group}", mode & 0o7777);
        let (path, numbers) = (path.as_os_str().as_bytes(), numbers.as_bytes());
        // Without any, the line is as it was before they were kept.
        match &attributes {
            None => self.rights.add(&[path, numbers]),
            Some(attributes) => self.rights.add(&[path, numbers, attributes]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_count_and_everything_else_does() {
        let rights = Rights { mode: 0o644, ..Rights::default() };
        let of = |lines: &[(&str, &[u8], u32)]| {
            let mut tally = Tally::default();
            for (path, hash, mode) in lines {
                tally.file(path.as_ref(), Rights { mode: *mode, ..rights }, 1, hash);
            }
            tally
        };
        let here = of(&[("a", b"1", 0o644), ("b", b"2", 0o644)]);
        assert_eq!(here, of(&[("b", b"2", 0o644), ("a", b"1", 0o644)]));
        assert_ne!(here.content, of(&[("a", b"2", 0o644), ("b", b"1", 0o644)]).content);
        assert_ne!(here.rights, of(&[("a", b"1", 0o600), ("b", b"2", 0o644)]).rights);
        let attributes = digest_of(&[("user.note".into(), b"x".to_vec())]);
        let mut with = Tally::default();
        with.file("a".as_ref(), Rights { attributes, ..rights }, 1, b"1");
        with.file("b".as_ref(), rights, 1, b"2");
        assert_ne!(here.rights, with.rights);
        let text = serde_json::to_string(&here).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), here);
    }
}
