//! Repositories of backups in restic's format: encrypted, deduplicated, readable by `restic` itself. The only place that
//! knows `rustic_core`, none of whose types leave it.
//!
//! The engine does the format; what keeps a failed dump from looking like a backup is here. It goes on after whatever it
//! cannot read, so every fault of a source is noted by a guard, and the guard refuses to write the snapshot file, which comes
//! last: a fault in any source means that there is no snapshot. What is saved is described by a manifest inside of the
//! snapshot, made while it is read; a restore is compared with it before it says that it went well.
//!
//! Everything here blocks the calling thread, and ends when the `wanted` that it is handed says so.

mod ahead;
mod archive;
mod check;
mod contents;
mod copy;
mod cutter;
mod differences;
mod fault;
mod feed;
mod files;
mod folder;
mod grip;
mod guard;
mod journals;
mod key;
mod keys;
mod known;
mod late;
mod lease;
mod lock;
mod manifest;
mod meter;
mod node;
mod objects;
mod plan;
mod reader;
mod remote;
mod repository;
mod restore;
mod save;
mod scan;
mod seen;
mod source;
mod store;
mod tally;
mod tarball;
mod unpack;

use std::sync::Arc;

use crate::failure::Failure;

pub use archive::{Archive, Entry, EntryKind, Opener, Packer, Stat, Told, archive};
pub use check::{Checked, Damaged, PARTS, Reads};
pub use contents::Contents;
pub use cutter::{Cutter, Cutting};
pub use differences::{Difference, Lines, differences};
pub use feed::{Feed, Pump, feed};
pub use key::Keyring;
pub use keys::RepositoryKey;
pub use known::Known;
pub use late::is_made_good;
pub use manifest::{DATA, Manifest, Missing, PartRecord, choose};
pub use meter::{Flow, Meter, Reach};
pub use node::stat_of;
pub use repository::{Access, PARTIAL, Pruned, Repository, Snapshot, find};
pub use restore::{Placing, compare, inside};
pub use save::{Content, Order, Part};
pub use source::count;
pub use store::Location;
pub use tally::{Count, Rights, Tally, alone, hex};
pub use tarball::{Tarred, TarredKind, count_tar, count_tars, each_in_tar, each_in_tars, lost, unfit};

/// Asked again and again while something goes on: is it still to go on? The failure says why not.
pub type Wanted = Arc<dyn Fn() -> Result<(), Failure> + Send + Sync>;
