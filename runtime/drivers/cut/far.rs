//! The side of the host.

use std::io::{Read, Result as Io, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::frame::{self, Frame, Kind};
use super::{Begin, End, GREETING, Hello, Order, PROTOCOL, VERSION};
use crate::drivers::Drivers;
use crate::drivers::backup::Cutter;
use crate::drivers::docker::{Chunk, Engine, ExecRequest, Finished, Lines, OutputStream};
use crate::failure::{Failure, FailureKind};

/// The engine of this machine, where every way to it leads.
const ENGINE: &str = "unix:///var/run/docker.sock";
/// How long that may take to say who it is.
const CONTACT: Duration = Duration::from_secs(10);
/// How much waits until it is told of, and is in memory until it is known what is wanted of it.
const BATCH: usize = 8 << 20;
/// How many pieces do so at most.
const MOST_PIECES: usize = 4096;

/// Does what comes over the input, and says what came of it. The end of the input ends it.
pub fn serve(
    drivers: &Drivers,
    input: impl Read + Send + 'static,
    output: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::system("speak to the other side", &error);
    let engine = drivers.docker(Some(ENGINE)).ok();
    let engine_is = engine
        .as_ref()
        .map(|engine| drivers.block_on(async { tokio::time::timeout(CONTACT, engine.identity()).await.ok()?.ok() }));
    let hello =
        Hello { protocol: PROTOCOL, version: VERSION.to_owned(), engine: engine_is.flatten().unwrap_or_default() };
    greet(output, &hello).map_err(failed)?;
    let gone = CancellationToken::new();
    let answers = listen(input, gone.clone());
    // Whoever wanted something else hangs up.
    let (Ok(Frame { kind: Kind::Begin, bytes }), Some(engine)) = (answers.recv(), engine) else { return Ok(()) };
    let Begin { order, cutting } = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("the order cannot be read: {error}")))?;
    if !cutting.is_sound() {
        return Err(Failure::new(FailureKind::Invalid, "nothing can be cut like that"));
    }
    let mut telling = Telling {
        cutter: Cutter::new(cutting),
        lines: Lines::default(),
        batch: Vec::new(),
        waiting: 0,
        bytes: 0,
        output,
        answers,
        broken: None,
        gone: &gone,
    };
    let ended = drivers.block_on(run(&engine, order, &mut telling));
    telling.finish(ended).map_err(failed)
}

fn greet(output: &mut dyn Write, hello: &Hello) -> Io<()> {
    output.write_all(GREETING)?;
    serde_json::to_writer(&mut *output, hello)?;
    output.write_all(b"\n")?;
    output.flush()
}

/// What comes from the other side; when nothing does any more, everything ends.
fn listen(mut input: impl Read + Send + 'static, gone: CancellationToken) -> Receiver<Frame> {
    let (sender, answers) = channel();
    std::thread::spawn(move || {
        while let Ok(frame) = frame::read(&mut input) {
            if sender.send(frame).is_err() {
                break;
            }
        }
        drop(sender);
        gone.cancel();
    });
    answers
}

/// Runs the command. Dropped, it is killed with everything it started.
async fn run(engine: &Engine, order: Order, telling: &mut Telling<'_>) -> Result<Finished, Failure> {
    let gone = telling.gone.clone();
    let Order { container, command, user, env, limit } = order;
    let request = ExecRequest { command, user, env, limit: Some(limit), ..ExecRequest::default() };
    let mut on_chunk = |chunk: Chunk| telling.take(&chunk);
    tokio::select! {
        biased;
        () = gone.cancelled() => Err(Failure::new(FailureKind::Cancelled, "nobody listens any more")),
        done = engine.exec_bytes(&container, &request, None, &mut on_chunk) => done,
    }
}

/// Tells of what is printed, batch by batch.
struct Telling<'a> {
    cutter: Cutter,
    lines: Lines,
    batch: Vec<Vec<u8>>,
    waiting: usize,
    bytes: u64,
    output: &'a mut (dyn Write + Send),
    answers: Receiver<Frame>,
    broken: Option<std::io::Error>,
    gone: &'a CancellationToken,
}

impl Telling<'_> {
    fn take(&mut self, chunk: &Chunk) {
        if self.broken.is_some() {
            return;
        }
        let taken = match chunk.stream {
            OutputStream::Stderr => {
                let mut said = Vec::new();
                self.lines.push(chunk, &mut |_, line| said.push(line.to_owned()));
                said.iter().try_for_each(|line| frame::write(&mut *self.output, Kind::Line, line.as_bytes()))
            }
            OutputStream::Stdout => {
                self.bytes += chunk.bytes.len() as u64;
                let (batch, waiting) = (&mut self.batch, &mut self.waiting);
                self.cutter.push(&chunk.bytes, &mut |piece| {
                    *waiting += piece.len();
                    batch.push(piece);
                });
                if self.waiting >= BATCH || self.batch.len() >= MOST_PIECES { self.tell() } else { Ok(()) }
            }
        };
        if let Err(error) = taken {
            self.broken = Some(error);
            self.gone.cancel();
        }
    }

    /// Tells of what waits, and sends what is wanted of it.
    fn tell(&mut self) -> Io<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut hashes = Vec::with_capacity(self.batch.len() * 36);
        for piece in &self.batch {
            hashes.extend_from_slice(&Sha256::digest(piece));
            hashes.extend_from_slice(&u32::try_from(piece.len()).unwrap_or(u32::MAX).to_be_bytes());
        }
        frame::write(&mut *self.output, Kind::Hashes, &hashes)?;
        let wanted = match self.answers.recv() {
            Ok(Frame { kind: Kind::Wanted, bytes }) if bytes.len() == self.batch.len() => bytes,
            _ => return Err(std::io::Error::other("the other side does not say what it wants")),
        };
        for (piece, wanted) in self.batch.drain(..).zip(wanted) {
            if wanted == 1 {
                frame::write(&mut *self.output, Kind::Piece, &piece)?;
            }
        }
        self.waiting = 0;
        Ok(())
    }

    fn finish(mut self, ended: Result<Finished, Failure>) -> Io<()> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let batch = &mut self.batch;
        self.cutter.finish(&mut |piece| batch.push(piece));
        self.tell()?;
        let mut said = Vec::new();
        std::mem::take(&mut self.lines).finish(&mut |_, line| said.push(line.to_owned()));
        said.iter().try_for_each(|line| frame::write(&mut *self.output, Kind::Line, line.as_bytes()))?;
        let ended = ended.map(|Finished { exit_code, not_started }| (exit_code, not_started));
        let end = serde_json::to_vec(&End { ended, bytes: self.bytes })?;
        frame::write(&mut *self.output, Kind::End, &end)
    }
}
