//! What opens a repository: its key, sealed by a password as restic does, and kept for as long as a process works with it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aes256ctr_poly1305aes::aead::Aead;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce};
use jiff::Zoned;
use rustic_core::Id;
use rustic_core::repofile::{KeyFile, MasterKey};

use super::repository::host;
use crate::drivers::bucket::digest;
use crate::failure::{Failure, FailureKind};

/// What stretching a password costs: N, r and p of scrypt. It takes as long as what the engine chooses, and 32 MiB of memory, as with
/// restic, instead of 128.
const COST: (u32, u32, u32) = (1 << 15, 8, 4);

/// The file by which a password opens a repository with this key.
pub fn sealed(master: &MasterKey, password: &str) -> Result<Vec<u8>, Failure> {
    let failed =
        |why: &dyn std::fmt::Display| Failure::new(FailureKind::System, format!("the key cannot be sealed: {why}"));
    // A new key is nothing but random bytes, of the engine's own source.
    let (salt, once) = (MasterKey::new(), MasterKey::new());
    let (n, r, p) = COST;
    let mut file = KeyFile {
        hostname: Some(host()),
        username: None,
        created: Some(Zoned::now()),
        kdf: "scrypt".into(),
        n,
        r,
        p,
        data: Vec::new(),
        salt: [salt.encrypt, salt.mac.k, salt.mac.r].concat(),
    };
    let (encrypt, k, r) = file.kdf_key(&password).map_err(|error| failed(&error))?.to_keys();
    let key = [encrypt, k, r].concat();
    let text = serde_json::to_vec(master).map_err(|error| failed(&error))?;
    let cipher = Aes256CtrPoly1305Aes::new(Key::from_slice(&key));
    let sealed = cipher.encrypt(Nonce::from_slice(&once.mac.k), text.as_slice()).map_err(|error| failed(&error))?;
    file.data = [once.mac.k, sealed].concat();
    serde_json::to_vec(&file).map_err(|error| failed(&error))
}

/// The keys of the repositories that were opened: stretching a password takes long, and is done once for each. It is forgotten with
/// the process.
#[derive(Default)]
pub struct Keyring(Mutex<HashMap<Lock, MasterKey>>);

/// What a key belongs to. Where a repository was made anew or a password was changed, its key files are others.
#[derive(PartialEq, Eq, Hash)]
pub struct Lock {
    place: String,
    /// The hash of the password.
    password: String,
    files: Vec<Id>,
}

impl Lock {
    /// The lock of the repository at a place that has these key files.
    pub fn new(place: &str, password: &str, mut files: Vec<Id>) -> Self {
        files.sort_unstable();
        Self { place: place.to_owned(), password: digest(password.as_bytes()), files }
    }
}

impl Keyring {
    /// The key that opened it before.
    pub fn find(&self, lock: &Lock) -> Option<MasterKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(lock).cloned()
    }

    /// Keeps a key that opened it.
    pub fn keep(&self, lock: Lock, key: MasterKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lock, key);
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("keyring")
    }
}
