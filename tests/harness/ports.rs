//! Ports of this machine that a test has to itself, also while nothing listens on them.

use std::fs::File;
use std::net::TcpListener;

/// Below those that the system gives out by itself: neither a connection nor a server of another test gets one of these
/// between two containers that follow each other on it.
const ALL: std::ops::Range<u16> = 20_000..32_000;

/// A port that no other test takes, of whatever process, until this is dropped.
pub struct Port {
    number: u16,
    _held: File,
}

impl Port {
    /// One on which nobody listens.
    pub fn hold() -> Self {
        let folder = std::env::temp_dir().join("runbook-test-ports");
        std::fs::create_dir_all(&folder).unwrap();
        let first = u16::try_from(std::process::id() % u32::from(ALL.end - ALL.start)).unwrap();
        let count = ALL.end - ALL.start;
        let free = (0..count).map(|step| ALL.start + (first + step) % count).find_map(|number| {
            let held = File::create(folder.join(number.to_string())).unwrap();
            held.try_lock().ok()?;
            TcpListener::bind(("127.0.0.1", number)).ok()?;
            Some(Self { number, _held: held })
        });
        free.expect("there is a free port")
    }

    /// The port.
    pub fn number(&self) -> u16 {
        self.number
    }
}
