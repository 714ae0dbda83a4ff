//! What goes wrong.

use crate::harness::cut;
use crate::harness::strace::Blow;

/// What is done meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Backup,
    Restore,
}
use Doing::{Backup, Restore};

/// An answer of a bucket's server.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub doing: Doing,
    pub method: &'static str,
    pub path: &'static str,
    pub kind: &'static str,
    pub times: u32,
}

const ALWAYS: u32 = 1_000_000;

const fn request(doing: Doing, method: &'static str, path: &'static str, kind: &'static str, times: u32) -> Request {
    Request { doing, method, path, kind, times }
}

impl Request {
    /// Is it given up only after a while?
    pub fn is_patient(&self) -> bool {
        self.times == ALWAYS && !matches!(self.kind, "403" | "flip" | "short" | "slow")
    }
}

pub const REQUESTS: &[Request] = &[
    request(Backup, "PUT", "/data/", "403", ALWAYS),
    request(Backup, "PUT", "/data/", "503", 2),
    request(Backup, "PUT", "/data/", "500", ALWAYS),
    request(Backup, "PUT", "/data/", "cut", 1),
    request(Backup, "PUT", "/data/", "cut", ALWAYS),
    request(Backup, "PUT", "/data/", "closed", 1),
    request(Backup, "PUT", "/data/", "lost", 1),
    request(Backup, "PUT", "/data/", "slow", 1),
    request(Backup, "PUT", "/data/", "dead", ALWAYS),
    request(Backup, "PUT", "/data/", "skewed", ALWAYS),
    request(Backup, "PUT", "/index/", "403", ALWAYS),
    request(Backup, "PUT", "/index/", "lost", 1),
    request(Backup, "PUT", "/index/", "cut", 2),
    request(Backup, "PUT", "/index/", "503", ALWAYS),
    request(Backup, "PUT", "/snapshots/", "403", ALWAYS),
    request(Backup, "PUT", "/snapshots/", "503", ALWAYS),
    request(Backup, "PUT", "/snapshots/", "lost", 1),
    request(Backup, "PUT", "/snapshots/", "closed", ALWAYS),
    request(Backup, "PUT", "/snapshots/", "dead", 1),
    request(Backup, "GET", "/config", "flip", 1),
    request(Backup, "GET", "/config", "short", 1),
    request(Backup, "GET", "/config", "403", ALWAYS),
    request(Backup, "GET", "/index/", "flip", 1),
    request(Backup, "GET", "/index/", "short", 1),
    request(Backup, "GET", "/index/", "cut", 2),
    request(Backup, "GET", "/index/", "403", ALWAYS),
    request(Backup, "GET", "/index/", "dead", ALWAYS),
    request(Backup, "GET", "/snapshots/", "flip", 1),
    request(Backup, "GET", "/data/", "flip", ALWAYS),
    request(Backup, "GET", "prefix=", "short", 1),
    request(Backup, "GET", "prefix=", "403", ALWAYS),
    request(Backup, "GET", "prefix=", "cut", 1),
    request(Backup, "GET", "prefix=", "dead", ALWAYS),
    request(Backup, "GET", "continuation-token", "403", ALWAYS),
    request(Backup, "GET", "continuation-token", "500", ALWAYS),
    request(Backup, "GET", "continuation-token", "short", 1),
    request(Restore, "GET", "/data/", "short", ALWAYS),
    request(Restore, "GET", "/data/", "flip", ALWAYS),
    request(Restore, "GET", "/data/", "cut", 2),
    request(Restore, "GET", "/data/", "403", ALWAYS),
    request(Restore, "GET", "/data/", "dead", ALWAYS),
    request(Restore, "GET", "/snapshots/", "short", 1),
    request(Restore, "GET", "/snapshots/", "flip", 1),
    request(Restore, "GET", "/index/", "flip", 1),
    request(Restore, "GET", "/index/", "403", ALWAYS),
    request(Restore, "GET", "continuation-token", "403", ALWAYS),
];

/// What is done to the files of a repository before a backup is made in it, as a script in its folder.
pub const DAMAGES: &[(&str, &str)] = &[
    ("no index", "rm index/*"),
    ("an index that is cut off", "for f in index/*; do truncate -s 40 $f; done"),
    (
        "an index with another byte",
        "for f in index/*; do printf x | dd of=$f bs=1 seek=30 conv=notrunc status=none; done",
    ),
    ("an index under another name", "f=$(ls index | head -n1); mv index/$f index/$(echo $f | tr 0-9a-f 1-9a-f0)"),
    ("the largest pack is missing", "rm $(ls -S data/*/* | head -n1)"),
    ("the smallest pack is missing", "rm $(ls -S data/*/* | tail -n1)"),
    ("a pack that is cut off", "truncate -s 100 $(ls -S data/*/* | head -n1)"),
    ("no pack at all", "rm data/*/*"),
    ("no folder of packs", "mv data gone"),
    ("a file in the place of a folder", "rmdir snapshots 2>/dev/null || mv snapshots s; touch snapshots"),
    ("no config", "rm config"),
    ("an empty config", ": >config"),
    ("a config with another byte", "printf x | dd of=config bs=1 seek=30 conv=notrunc status=none"),
    ("no key", "rm keys/*"),
    ("a key that is cut off", "for f in keys/*; do truncate -s 60 $f; done"),
    ("a snapshot that is cut off", "truncate -s 50 snapshots/$(ls snapshots | head -n1)"),
    ("restic is at work", "touch locks/0123"),
    ("nothing can be put aside", "rm -rf unfinished; touch unfinished"),
    ("a disk that is full", "mount -t tmpfs -o size=$(($(du -sk . | cut -f1) + 200))k tmpfs . && cp -a ../whole/. ."),
    (
        "a disk without room for another file",
        "mount -t tmpfs -o size=1g,nr_inodes=$(($(find . | wc -l) + 3)) tmpfs . && cp -a ../whole/. .",
    ),
    ("a disk that may not be written", "mount --bind . . && mount -o remount,ro,bind ."),
];

/// System calls of the program that fail: which, how, and from the how-manieth on.
pub const MACHINE: &[(&str, Blow, usize)] = &[
    ("write", Blow::Errors("ENOSPC"), 2),
    ("write", Blow::Error("ENOSPC"), 1),
    ("write", Blow::Error("EIO"), 3),
    ("pwrite64", Blow::Errors("ENOSPC"), 5),
    ("fsync", Blow::Error("EIO"), 1),
    ("fsync", Blow::Errors("EIO"), 2),
    ("rename", Blow::Error("EIO"), 1),
    ("rename", Blow::Error("EROFS"), 2),
    ("openat", Blow::Errors("EMFILE"), 60),
    ("openat", Blow::Error("EACCES"), 90),
    ("openat", Blow::Error("EIO"), 12),
    ("getdents64", Blow::Error("EIO"), 2),
    ("getdents64", Blow::Errors("EIO"), 9),
    ("read", Blow::Error("EIO"), 25),
    ("read", Blow::Error("EIO"), 6),
    ("read", Blow::Error("EIO"), 3),
    ("statx", Blow::Error("EIO"), 20),
    ("flock", Blow::Errors("ENOLCK"), 1),
    ("clone3", Blow::Error("EAGAIN"), 4),
    ("mmap", Blow::Errors("ENOMEM"), 150),
];

/// What a machine does not grant, or tells that is not so: the beginning of a command line.
pub const LIMITS: &[(&str, &str)] = &[
    ("150 MB of memory", "ulimit -v 150000; exec \"$@\""),
    ("250 MB of memory", "ulimit -v 250000; exec \"$@\""),
    ("400 MB of memory", "ulimit -v 400000; exec \"$@\""),
    ("20 open files", "ulimit -n 20; exec \"$@\""),
    ("40 open files", "ulimit -n 40; exec \"$@\""),
    ("files of 50 KiB", "ulimit -f 100; exec \"$@\""),
    ("files of 300 KiB", "ulimit -f 600; exec \"$@\""),
    ("a second of the processor", "ulimit -t 1; exec \"$@\""),
    ("the year 2001", "FAKETIME_DONT_FAKE_MONOTONIC=1 exec faketime '2001-02-03 04:05:06' \"$@\""),
    ("the year 2060", "FAKETIME_DONT_FAKE_MONOTONIC=1 exec faketime '2060-02-03 04:05:06' \"$@\""),
    ("a clock that is a day late", "FAKETIME_DONT_FAKE_MONOTONIC=1 exec faketime -f '-1d' \"$@\""),
    ("a clock that runs a thousand times as fast", "FAKETIME_DONT_FAKE_MONOTONIC=1 exec faketime -f '+0 x1000' \"$@\""),
];

/// A way to a host that breaks after so many bytes of its answers.
#[derive(Clone, Copy, Debug)]
pub struct Break(pub u64, pub cut::Blow, pub bool);

impl Break {
    /// Is it given up only after a while?
    pub fn is_patient(&self) -> bool {
        self.1 == cut::Blow::Stall
    }
}

pub const WAYS: &[Break] = &[
    Break(500, cut::Blow::Cut, true),
    Break(4_000, cut::Blow::Cut, true),
    Break(6_000, cut::Blow::Cut, true),
    Break(9_000, cut::Blow::Cut, true),
    Break(14_000, cut::Blow::Cut, true),
    Break(22_000, cut::Blow::Cut, true),
    Break(4_000, cut::Blow::Cut, false),
    Break(9_000, cut::Blow::Cut, false),
    Break(14_000, cut::Blow::Cut, false),
    Break(5_000, cut::Blow::Stall, false),
    Break(12_000, cut::Blow::Stall, true),
];
