//! A way to a server that can be cut, or stalled, after so many bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What happens to a connection at its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// Both sides see it end.
    Cut,
    /// Nothing arrives any more, and nobody is told.
    Stall,
}

/// A proxy in front of one port.
pub struct Way {
    port: u16,
    state: Arc<State>,
}

struct State {
    to: u16,
    /// How many bytes from the server are let through, of all connections together.
    left: AtomicU64,
    blow: Blow,
    passed: AtomicU64,
    /// How much had passed after each piece.
    boundaries: Mutex<Vec<u64>>,
    /// After the blow, are new connections let through?
    heals: bool,
    struck: AtomicBool,
}

impl Way {
    /// A way that lets everything through.
    pub fn open(to: u16) -> Self {
        Self::until(to, u64::MAX, Blow::Cut, true)
    }

    /// A way that breaks once the server has sent so many bytes; one that heals lets later connections through.
    pub fn until(to: u16, bytes: u64, blow: Blow, heals: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            to,
            left: AtomicU64::new(bytes),
            blow,
            passed: AtomicU64::new(0),
            boundaries: Mutex::default(),
            heals,
            struck: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.struck.load(Ordering::Relaxed) && !shared.heals {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", shared.to)) else { continue };
                let (back_client, back_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let state = Arc::clone(&shared);
                std::thread::spawn(move || state.answers(back_server, back_client));
                let state = Arc::clone(&shared);
                std::thread::spawn(move || state.requests(client, server));
            }
        });
        Self { port, state }
    }

    /// Where to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Between which bytes the server paused: where a packet of it ended, or several that left together.
    pub fn boundaries(&self) -> Vec<u64> {
        self.state.boundaries.lock().unwrap().clone()
    }

    /// How much the server has sent.
    pub fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::Relaxed)
    }
}

impl State {
    fn requests(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 << 10];
        while let Ok(length) = from.read(&mut bytes) {
            if self.struck.load(Ordering::Relaxed) && self.blow == Blow::Stall && !self.heals {
                return std::thread::park();
            }
            if length == 0 || to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn answers(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 << 10];
        while let Ok(length) = from.read(&mut bytes) {
            if length == 0 {
                break;
            }
            let left = self.left.load(Ordering::Relaxed);
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(length);
            self.left.store(left - now as u64, Ordering::Relaxed);
            let passed = self.passed.fetch_add(now as u64, Ordering::Relaxed) + now as u64;
            self.boundaries.lock().unwrap().push(passed);
            if to.write_all(&bytes[..now]).is_err() {
                break;
            }
            if now < length {
                self.struck.store(true, Ordering::Relaxed);
                self.left.store(if self.heals { u64::MAX } else { 0 }, Ordering::Relaxed);
                if self.blow == Blow::Stall {
                    return std::thread::park();
                }
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
