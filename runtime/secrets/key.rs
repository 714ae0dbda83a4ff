use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit as _};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::failure::{Failure, FailureKind};

/// Before a sealed text, with the number of the way in which it is sealed.
const SEALED: &str = "sealed:1:";

/// How long the number is that is used once.
const NONCE: usize = 24;

/// A random key of this machine's state folder. What is hashed or sealed with it says nothing to whoever has not got it, so
/// that it may stand in a run log.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// The key's file in the state folder.
    pub const FILE: &'static str = "key";

    /// Reads the key of a state folder; the first one who asks makes it.
    pub fn of(folder: &Path) -> Result<Self, Failure> {
        let file = folder.join(Self::FILE);
        let explain = |error| Failure::system(format!("read `{}`", file.display()), &error);
        match File::open(&file) {
            Ok(file) => Self::read(file).map_err(explain),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make(folder, &file).map_err(|error| Failure::system(format!("make `{}`", file.display()), &error))?;
                File::open(&file).and_then(Self::read).map_err(explain)
            }
            Err(error) => Err(explain(error)),
        }
    }

    fn read(mut file: File) -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        file.read_exact(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Of these parts in this order: 8 bytes of their keyed hash (HMAC with SHA-256, RFC 2104).
    pub fn hash(&self, parts: &[&str]) -> [u8; 8] {
        let Ok(mut hash) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 8] };
        for part in parts {
            // With its length before it no part runs into the next one.
            hash.update(&part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
        let whole = hash.finalize().into_bytes();
        std::array::from_fn(|index| whole[index])
    }

    /// The text, readable and changeable for nobody without the key (XChaCha20-Poly1305).
    pub fn seal(&self, text: &str) -> Result<String, Failure> {
        let mut nonce = [0; NONCE];
        random(&mut nonce).map_err(|error| Failure::system("read `/dev/urandom`", &error))?;
        let sealed = self.cipher().encrypt(&nonce.into(), text.as_bytes());
        let sealed = sealed.map_err(|_| Failure::new(FailureKind::System, "the text is too long to be sealed"))?;
        Ok(format!("{SEALED}{}", STANDARD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// What was sealed with this very key; `None` when it was not, or is not whole.
    pub fn open(&self, sealed: &str) -> Option<String> {
        let bytes = STANDARD.decode(sealed.strip_prefix(SEALED)?).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        String::from_utf8(self.cipher().decrypt(nonce.into(), sealed).ok()?).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let Ok(mut hash) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return XChaCha20Poly1305::new(&self.0.into());
        };
        hash.update(SEALED.as_bytes());
        let own: [u8; 32] = hash.finalize().into_bytes().into();
        XChaCha20Poly1305::new(&own.into())
    }

    /// The same in 16 hexadecimal digits.
    pub fn fingerprint(&self, parts: &[&str]) -> String {
        self.hash(parts).iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
    }
}

fn random(bytes: &mut [u8]) -> std::io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

/// Whoever is first to give a whole file the name has made the key: another process, or another branch of this run.
fn make(folder: &Path, file: &Path) -> std::io::Result<()> {
    static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
    std::fs::create_dir_all(folder)?;
    let mut bytes = [0; 32];
    random(&mut bytes)?;
    let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    let own = folder.join(format!("{}.{}.{attempt}", Key::FILE, std::process::id()));
    let _ = std::fs::remove_file(&own);
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&own)?;
    let named = written.write_all(&bytes).and_then(|()| written.sync_all()).and_then(|()| {
        match std::fs::hard_link(&own, file) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    });
    std::fs::remove_file(&own)?;
    named
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = Key::of(folder.path()).expect("made");
        let again = Key::of(folder.path()).expect("read");
        assert_eq!(key.fingerprint(&["a", "b"]), again.fingerprint(&["a", "b"]));
        let mode = folder.path().join(Key::FILE).metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = tempfile::tempdir().expect("a folder");
        assert_ne!(Key::of(other.path()).expect("made").hash(&["a"]), key.hash(&["a"]));
    }

    #[test]
    fn of_many_who_ask_at_once_one_makes_it() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().expect("a folder");
            let ask = || Key::of(folder.path()).map(|key| key.fingerprint(&["a"]));
            let found: Vec<_> = std::thread::scope(|scope| {
                let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
                asking.into_iter().map(|one| one.join().expect("it ended")).collect()
            });
            let first = found[0].clone().expect("a key");
            assert!(found.iter().all(|key| key.as_ref().is_ok_and(|key| *key == first)), "{found:?}");
            assert_eq!(folder.path().read_dir().expect("there").count(), 1);
        }
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_alone() {
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let key = Key::of(folder.path()).expect("made");
        let sealed = key.seal("correct-horse").expect("sealed");
        assert_eq!(key.open(&sealed).as_deref(), Some("correct-horse"));
        assert_ne!(key.seal("correct-horse").expect("sealed"), sealed);
        assert_eq!(Key::of(other.path()).expect("made").open(&sealed), None);
        let last = if sealed.ends_with('A') { 'B' } else { 'A' };
        assert_eq!(key.open(&format!("{}{last}", &sealed[..sealed.len() - 1])), None);
        assert_eq!((key.open("plain"), key.open("sealed:1:AAAA")), (None, None));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = Key::of(folder.path()).expect("made");
        assert_ne!(key.hash(&["ab", "c"]), key.hash(&["a", "bc"]));
    }
}
