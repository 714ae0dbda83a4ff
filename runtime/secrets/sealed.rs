//! Values in the repository, sealed so that only named people can read them and only named people can change them.
//!
//! `secrets/people.toml` says who: a list of changes, each signed by somebody whom the changes before it allow to
//! ([`people`]). `secrets/ENVIRONMENT.toml` holds the values: each one sealed with age to everybody who may read the
//! environment ([`seal`]), all of them under one signature with a serial number ([`values`]). What a machine has seen once it
//! does not take back: an older file, another root, a list without a change it knows ([`memory`]).
//!
//! [`Store`] puts this together. Nothing is returned before everything was verified.

mod fingerprint;
mod identity;
mod memory;
mod openssh;
mod people;
mod place;
mod recipient;
mod seal;
mod signature;
mod store;
mod values;

pub use fingerprint::Fingerprints;
pub use identity::{Identity, default_identity_file};
pub use people::{Departed, People, Person};
pub use recipient::{Card, Recipient};
pub use signature::PublicKey;
pub(super) use signature::{public_key_of, random};
pub use store::{Change, Draft, FOLDER, Opened, PEOPLE_FILE, Store, file_of};
pub use values::Value;
