//! Bytes on their way from one side to the other, a bounded number of them.

use std::io::{self, ErrorKind, Read, Write};

/// How much may wait: enough to keep a line busy, too little to matter.
const MOST: usize = 256 << 10;
/// How much is read at once.
const PIECE: usize = 32 << 10;

/// One direction of a channel.
#[derive(Default)]
pub struct Flow {
    bytes: Vec<u8>,
    start: usize,
    /// Where a source writes to: made once, for most of the time there is nothing to be read.
    piece: Vec<u8>,
    has_ended: bool,
}

impl Flow {
    /// Is nothing on its way?
    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// May more come in?
    pub fn has_room(&self) -> bool {
        self.bytes.len() - self.start < MOST
    }

    /// Has the source said that no more comes?
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// What is on its way.
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// That much has arrived.
    pub fn sent(&mut self, length: usize) {
        self.start += length;
    }

    /// Nobody takes more: what is on its way is dropped.
    pub fn end(&mut self) {
        self.start = self.bytes.len();
        self.has_ended = true;
    }

    /// Takes in what a source has now; was there anything?
    pub fn take(&mut self, source: &mut impl Read) -> io::Result<bool> {
        let mut moved = false;
        while !self.has_ended && self.has_room() {
            if self.is_empty() || self.start > MOST {
                self.bytes.drain(..self.start);
                self.start = 0;
            }
            if self.piece.is_empty() {
                self.piece = vec![0; PIECE];
            }
            match source.read(&mut self.piece) {
                Ok(0) => {
                    self.has_ended = true;
                    return Ok(true);
                }
                Ok(length) => {
                    self.bytes.extend_from_slice(&self.piece[..length]);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.has_ended = true;
                    return Err(error);
                }
            }
        }
        Ok(moved)
    }

    /// Gives on what a sink takes now; did it take anything?
    pub fn give(&mut self, sink: &mut impl Write) -> io::Result<bool> {
        let mut moved = false;
        while !self.is_empty() {
            match sink.write(self.pending()) {
                Ok(length) => self.sent(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            moved = true;
        }
        Ok(moved)
    }
}
