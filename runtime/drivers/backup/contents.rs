use std::io::{self, Write};
use std::path::Path;

use rustic_core::LsOptions;
use rustic_core::repofile::NodeType;

use super::node::kept_rights;
use super::unpack::Hashing;
use super::{Repository, Tally};
use crate::failure::Failure;

/// Whoever is handed what is in the files of a folder, one after the other.
pub trait Contents {
    /// A file begins: is what is in it wanted?
    fn begin(&mut self, path: &Path) -> Result<bool, Failure>;
    /// More of what is in it.
    fn piece(&mut self, bytes: &[u8]) -> Result<(), Failure>;
    /// That was all of it, and this is its hash.
    fn end(&mut self, bytes: u64, hash: &[u8]) -> Result<(), Failure>;
}

impl Repository {
    /// Hands on the files of a folder of a snapshot, and says what it was: folders, links, and the files that were wanted.
    pub fn each_file(&self, snapshot: &str, inside: &str, to: &mut dyn Contents) -> Result<Tally, Failure> {
        let (engine, root) = self.found(snapshot, inside)?;
        let failed = |error: Box<rustic_core::RusticError>| self.failed("read from", &error);
        let mut tally = Tally::default();
        for item in engine.ls(&root, &LsOptions::default()).map_err(failed)? {
            self.wanted()?;
            let (path, node) = item.map_err(failed)?;
            let rights = kept_rights(&node.meta);
            match &node.node_type {
                NodeType::Dir => tally.folder(&path, rights),
                NodeType::Symlink { .. } => tally.link(&path, node.node_type.to_link(), rights),
                _ if !to.begin(&path)? => {}
                _ => {
                    let mut fault = None;
                    let mut hashing = Hashing::metered(Into { to: &mut *to, fault: &mut fault }, self.meter());
                    let dumped = engine.dump(&node, &mut hashing);
                    let (bytes, hash) = hashing.finish();
                    // Whoever was handed it has a better reason.
                    fault.map_or(Ok(()), Err)?;
                    dumped.map_err(failed)?;
                    tally.file(&path, rights, bytes, &hash);
                    to.end(bytes, &hash)?;
                }
            }
        }
        Ok(tally)
    }
}

/// Hands on what is written, and keeps why that failed.
struct Into<'a> {
    to: &'a mut dyn Contents,
    fault: &'a mut Option<Failure>,
}

impl Write for Into<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self.to.piece(buffer) {
            Ok(()) => Ok(buffer.len()),
            Err(failure) => {
                let error = io::Error::other(failure.message.clone());
                *self.fault = Some(failure);
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
