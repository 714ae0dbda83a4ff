//! The moments at which a run is struck, from the system calls of a run that nobody disturbs.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::site::Site;
use crate::harness::strace::{self, Blow, Called, Injection};

/// Every call with which the program changes a file, or starts and awaits another program.
const SYSCALLS: &[&str] = &[
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "openat",
    "write",
    "rename",
    "renameat2",
    "link",
    "symlink",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "chmod",
    "fchmod",
    "clone3",
    "vfork",
    "wait4",
    "waitid",
    "execve",
];

/// The journal proper: a write or a sync of this file is one of its boundaries.
const WRITE_AHEAD: &str = "state/journal.sqlite-wal";

/// What a point hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The journal's write-ahead log.
    Journal,
    /// The other files of the state folder.
    State,
    /// The log lines.
    Lines,
    /// Files of the project.
    Files,
    /// Starting a command and waiting for it.
    Programs,
    /// The command itself, and not the program that started it.
    Command,
}

/// One moment: the `when`-th call of a kind that a thread makes.
#[derive(Clone, Debug)]
pub struct Point {
    pub kind: Kind,
    pub syscall: String,
    pub when: usize,
    on: Option<&'static str>,
}

impl Point {
    /// A boundary of the journal.
    pub fn boundary(syscall: &str, when: usize) -> Self {
        Self { kind: Kind::Journal, syscall: syscall.into(), when, on: Some(WRITE_AHEAD) }
    }

    pub fn injection(&self, site: &Site, blow: Blow) -> Injection {
        let on = self.on.map(|file| site.path(file));
        Injection { blow, syscall: self.syscall.clone(), when: self.when, on }
    }
}

/// All points of the run that the site is prepared for, which happens here once.
pub fn all(site: &Site) -> Vec<Point> {
    let trace = site.path("trace");
    let output = strace::recorded(&site.command(&site.begin()), &trace, SYSCALLS).output().unwrap();
    assert_eq!(output.status.code(), Some(site.scenario.code), "{}", String::from_utf8_lossy(&output.stderr));
    let called = strace::read(&trace);
    let children: HashSet<u32> =
        called.iter().skip(1).filter(|call| call.syscall == "execve").map(|call| call.thread).collect();
    let mut counts: HashMap<(u32, &str, bool), usize> = HashMap::new();
    let mut taken = HashSet::new();
    let mut points = Vec::new();
    for call in &called {
        // A call on the write-ahead log counts twice: among those, and among all calls of its name.
        for on in [None, Some(WRITE_AHEAD)] {
            if on.is_some_and(|file| !call.arguments.contains(file)) {
                continue;
            }
            let when = counts.entry((call.thread, &call.syscall, on.is_some())).or_default();
            *when += 1;
            if !taken.insert((&call.syscall, on, *when)) {
                continue;
            }
            let kind = kind(call, children.contains(&call.thread));
            if let Some(kind) = kind.filter(|kind| on.is_some() == (*kind == Kind::Journal)) {
                points.push(Point { kind, syscall: call.syscall.clone(), when: *when, on });
            }
        }
    }
    points
}

fn kind(call: &Called, is_child: bool) -> Option<Kind> {
    let has = |text: &str| call.arguments.contains(text);
    match call.syscall.as_str() {
        "execve" => None,
        _ if is_child => Some(Kind::Command),
        _ if has(WRITE_AHEAD) => Some(Kind::Journal),
        _ if has("/state/logs-") => Some(Kind::Lines),
        _ if has("/state/") => Some(Kind::State),
        _ if has("/project") => Some(Kind::Files),
        "clone3" | "vfork" | "wait4" | "waitid" => Some(Kind::Programs),
        _ => None,
    }
}

/// At most `most` of each kind, evenly spread, and every boundary of the journal.
///
/// A commit writes pages to the write-ahead log, each behind a header: it is valid with the last of them. Every second
/// write is therefore enough to stop between any two commits, and inside of the longer ones.
pub fn thinned(points: Vec<Point>, most: usize) -> Vec<Point> {
    let mut by_kind: BTreeMap<Kind, Vec<Point>> = BTreeMap::new();
    for point in points {
        by_kind.entry(point.kind).or_default().push(point);
    }
    let thin = |(kind, points): (Kind, Vec<Point>)| {
        let keep = if kind == Kind::Journal { points.len() } else { most.min(points.len()) };
        let is_kept = move |point: &Point| kind != Kind::Journal || point.syscall != "pwrite64" || point.when % 2 == 1;
        let chosen: Vec<Point> = (0..keep).map(|index| points[index * points.len() / keep].clone()).collect();
        chosen.into_iter().filter(is_kept)
    };
    by_kind.into_iter().flat_map(thin).collect()
}
