//! Bytes that come in pieces, for whoever reads them on another thread.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Both ends.
pub struct Taps {
    /// Where bytes are put in.
    pub pour: Pour,
    /// Where they are read.
    pub tapped: Tapped,
}

/// Where bytes are put in; their end is when it is dropped.
pub struct Pour(SyncSender<Vec<u8>>);

/// Where they are read.
pub struct Tapped {
    pieces: Receiver<Vec<u8>>,
    rest: Vec<u8>,
    at: usize,
}

/// Makes both ends.
pub fn tap() -> Taps {
    let (sender, pieces) = sync_channel(16);
    Taps { pour: Pour(sender), tapped: Tapped { pieces, rest: Vec::new(), at: 0 } }
}

impl Pour {
    /// Hands on some bytes. `false` once nobody reads.
    pub fn pour(&self, bytes: &[u8]) -> bool {
        self.0.send(bytes.to_vec()).is_ok()
    }
}

impl Read for Tapped {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.rest.len() {
            let Ok(piece) = self.pieces.recv() else { return Ok(0) };
            (self.rest, self.at) = (piece, 0);
        }
        let length = buffer.len().min(self.rest.len() - self.at);
        buffer[..length].copy_from_slice(&self.rest[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
