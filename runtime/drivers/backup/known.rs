use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use rustic_core::LsOptions;
use rustic_core::repofile::{BlobType, Chunker, Node};
use sha2::{Digest, Sha256};

use super::cutter::Cutting;
use super::repository::Repository;
use super::restore::inside;
use super::seen::Indexed;
use super::tally::hex;
use crate::failure::{Failure, FailureKind};

/// The pieces of which a part consisted the last time. Whoever tells of one of these need not send it.
pub struct Known {
    engine: Arc<Indexed>,
    cutting: Cutting,
    pieces: HashSet<[u8; 32]>,
    /// The repository, for messages.
    shown: String,
}

impl Repository {
    /// What is known of a part from a snapshot. `None` where that is of no use: nothing of it is there, its pieces are others, or
    /// they would have to travel here from somewhere else.
    pub fn known(&self, snapshot: &str, part: &str) -> Option<Known> {
        self.folder()?;
        let config = self.engine().config();
        let cutting = Cutting {
            polynomial: config.poly().ok()?,
            size: config.chunk_size(),
            least: config.chunk_min_size(),
            most: config.chunk_max_size(),
        };
        if !matches!(config.chunker(), Chunker::Rabin) || !cutting.is_sound() {
            return None;
        }
        let (engine, root) = self.found(snapshot, &inside(part)).ok()?;
        let mut pieces = HashSet::new();
        if root.is_dir() {
            for item in engine.ls(&root, &LsOptions::default()).ok()? {
                pieces.extend(pieces_of(&item.ok()?.1));
            }
        } else {
            pieces.extend(pieces_of(&root));
        }
        (!pieces.is_empty()).then(|| Known { engine, cutting, pieces, shown: self.shown() })
    }
}

fn pieces_of(node: &Node) -> impl Iterator<Item = [u8; 32]> {
    let content = node.content.as_deref().unwrap_or_default();
    content.iter().filter_map(|id| unhex(&id.to_hex()))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte, place) in bytes.iter_mut().zip(0..) {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

impl Known {
    /// How the repository cuts.
    pub fn cutting(&self) -> Cutting {
        self.cutting
    }

    /// Is it one of the pieces?
    pub fn has(&self, hash: &[u8; 32]) -> bool {
        self.pieces.contains(hash)
    }

    /// A piece, as it has to be. One that is damaged would be missing in the new snapshot, too: the repository does not store again what its
    /// index tells of.
    pub fn read(&self, hash: &[u8; 32]) -> Result<Bytes, Failure> {
        let name = hex(hash);
        let lost = |why: &str| {
            let message =
                format!("the repository `{}` has lost the piece {} of its data: {why}", self.shown, &name[..8]);
            Failure::new(FailureKind::Invalid, message).hint("`runbook backup check --all` says what else is damaged")
        };
        let piece = self.engine.cat_blob(BlobType::Data, &name).map_err(|_| lost("it cannot be read"))?;
        if Sha256::digest(&piece)[..] != hash[..] {
            return Err(lost("it is not what was saved"));
        }
        Ok(piece)
    }
}
