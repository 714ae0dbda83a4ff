//! The boundaries of a journal, from the system calls of a run that nobody disturbs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::Ran;
use crate::harness::at_night;
use crate::harness::strace::{self, Blow, Injection};

/// The `when`-th write or sync of the write-ahead log that one thread makes.
#[derive(Clone, Debug)]
pub struct Boundary {
    pub syscall: &'static str,
    pub when: usize,
}

impl Boundary {
    /// A kill there.
    pub fn kill(&self, log: PathBuf) -> Injection {
        Injection { blow: Blow::Kill, syscall: self.syscall.into(), when: self.when, on: Some(log) }
    }
}

/// Runs the command to its end; `most` of its boundaries, evenly spread over its course, or all at night.
pub fn of(command: &Command, log: &str, most: usize) -> Vec<Boundary> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let ran = Ran::from(strace::recorded(command, trace.path(), &["pwrite64", "fsync"]).output().unwrap());
    ran.success();
    let mut counts: HashMap<(u32, String), usize> = HashMap::new();
    for call in strace::read(trace.path()).into_iter().filter(|call| call.arguments.contains(log)) {
        *counts.entry((call.thread, call.syscall)).or_default() += 1;
    }
    let all = |syscall: &'static str| {
        let count =
            counts.iter().filter(|(key, _)| key.1 == syscall).map(|(_, count)| *count).max().unwrap_or_default();
        (1..=count).map(move |when| Boundary { syscall, when })
    };
    // A sync is the moment before a change: a third of the points are there.
    let (syncs, writes): (Vec<_>, Vec<_>) = (all("fsync").collect(), all("pwrite64").collect());
    if at_night() {
        return [syncs, writes].concat();
    }
    let some = (most / 3).min(syncs.len());
    [spread(&syncs, some), spread(&writes, most - some)].concat()
}

/// `most` of them, each from the middle of an equal part.
fn spread(all: &[Boundary], most: usize) -> Vec<Boundary> {
    let most = most.min(all.len());
    (0..most).map(|index| all[(2 * index + 1) * all.len() / (2 * most)].clone()).collect()
}
