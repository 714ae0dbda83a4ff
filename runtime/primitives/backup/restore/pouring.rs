//! A part that is a stream, on its way to whoever reads it.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as Task, Poll};
use std::thread;

use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::Work;
use crate::drivers::backup::Tally;
use crate::primitive::{Failure, FailureKind};

/// A part on its way to whoever reads it.
pub type Poured = StreamReader<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>, Bytes>;

impl Work {
    /// Hands the part to somebody who reads it; how much was read of it.
    pub(super) fn pour_through(
        &self,
        read: impl FnOnce(Taken<Poured>) -> Result<(), Failure>,
    ) -> (Result<Tally, Failure>, Result<(), Failure>, u64) {
        let (id, inside) = (&self.snapshot.id, &self.inside);
        let (sender, pieces) = mpsc::channel(4);
        let pieces: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>> =
            Box::pin(unfold(pieces, async |mut pieces: mpsc::Receiver<_>| Some((pieces.recv().await?, pieces))));
        let taken = Arc::new(AtomicU64::new(0));
        let input = Taken { input: StreamReader::new(pieces), bytes: Arc::clone(&taken) };
        let (poured, fed) = thread::scope(|scope| {
            let pouring = scope.spawn(move || {
                let mut pieces = Pieces(sender.clone());
                let poured = self.repository.pour(id, inside, &mut pieces);
                if let Err(failure) = &poured {
                    let _ = sender.blocking_send(Err(io::Error::other(failure.message.clone())));
                }
                poured
            });
            let fed = read(input);
            let lost = || Failure::new(FailureKind::System, "what was restored was not read to its end");
            (pouring.join().unwrap_or_else(|_| Err(lost())), fed)
        });
        (poured, fed, taken.load(Ordering::Relaxed))
    }

    /// Reads the part once, and fails unless it is what it has to be.
    pub(super) fn intact(&self) -> Result<Tally, Failure> {
        let (id, inside) = (&self.snapshot.id, &self.inside);
        if self.repository.is_folder(id, inside)? {
            return Err(Failure::new(FailureKind::Argument, format!("`{inside}` is a folder: restore it to a path")));
        }
        let tally = self.repository.pour(id, inside, &mut io::sink())?;
        if self.record.as_ref().is_some_and(|record| record.tally.content != tally.content) {
            let message = format!("`{inside}` of snapshot {} is not what was saved", self.snapshot.short());
            return Err(Failure::new(FailureKind::Check, message));
        }
        Ok(tally)
    }
}

/// Counts what is taken of an input.
pub struct Taken<R> {
    input: R,
    bytes: Arc<AtomicU64>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Taken<R> {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.input).poll_read(task, buffer);
        self.bytes.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        polled
    }
}

/// Hands pieces to whoever reads them.
pub struct Pieces(pub mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(buffer)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe)).map(|()| buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
