//! Looks at an engine share a channel: each is sent without waiting for the answers to those before it, which come in the
//! order of the questions. Over a link with a long way that takes the time of one look for all that are asked at once.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bollard::BollardRequest;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Method, Uri};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower_service::Service;

use super::answer::Answer;
use super::way::{Stream, Way};
use crate::failure::Failure;

/// How much of an answer may wait for whoever asked.
const BUFFER: usize = 64 << 10;
/// An answer that takes longer holds up those behind it: what is asked from then on takes another channel.
const HELD_UP: Duration = Duration::from_millis(500);
/// Channels for looks at the same time.
const MOST: usize = 4;

/// Is it a question that an engine answers from memory, and at once?
pub fn is_look(request: &BollardRequest) -> bool {
    let measures = request.uri().query().is_some_and(|query| query.contains("size=true"));
    let mut words = request.uri().path().split('/').filter(|word| !word.is_empty()).collect::<VecDeque<_>>();
    if words.front().is_some_and(|word| word.starts_with("v1.")) {
        words.pop_front();
    }
    let is_known = matches!(
        *words.make_contiguous(),
        ["version" | "info" | "networks" | "volumes"]
            | ["networks" | "volumes", _]
            | ["containers", "json"]
            | ["containers", _, "json"]
            | ["images", .., "json"]
    );
    request.method() == Method::GET && is_known && !measures
}

/// Hands out connections that are none: each takes one look to a channel that it shares with others.
#[derive(Clone)]
pub struct Looks {
    way: Way,
    carriers: Arc<tokio::sync::Mutex<Vec<Carrier>>>,
}

impl Looks {
    /// Looks at the engine that a way leads to.
    pub fn new(way: Way) -> Self {
        Self { way, carriers: Arc::default() }
    }

    /// Opens a channel while something else is waited for: it is looks that follow.
    pub fn prepare(&self) {
        let looks = self.clone();
        tokio::spawn(async move {
            let mut carriers = looks.carriers.lock().await;
            if carriers.is_empty()
                && let Ok(stream) = looks.way.open_another().await
            {
                carriers.push(Carrier::start(stream));
            }
        });
    }

    async fn connection(&self) -> Result<Look, Failure> {
        let carrier = self.carrier().await?;
        let (near, far) = duplex(BUFFER);
        tokio::spawn(carrier.ask(far));
        Ok(Look(TokioIo::new(near)))
    }

    /// A channel that nothing holds up.
    async fn carrier(&self) -> Result<Carrier, Failure> {
        let mut carriers = self.carriers.lock().await;
        carriers.retain(|carrier| !carrier.asked.is_closed());
        let free = carriers.iter().find(|carrier| !carrier.is_held_up());
        if let Some(carrier) = free.or_else(|| carriers.first().filter(|_| carriers.len() >= MOST)) {
            return Ok(carrier.clone());
        }
        let carrier = match (self.way.open().await, carriers.first()) {
            (Ok(stream), _) => Carrier::start(stream),
            // No room for another one: the answer will come.
            (Err(_), Some(carrier)) => return Ok(carrier.clone()),
            (Err(failure), None) => return Err(failure),
        };
        carriers.push(carrier.clone());
        Ok(carrier)
    }
}

impl Service<Uri> for Looks {
    type Response = Look;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Look, std::io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let looks = self.clone();
        Box::pin(async move { looks.connection().await.map_err(std::io::Error::other) })
    }
}

/// A channel that carries looks.
#[derive(Clone)]
struct Carrier {
    asked: UnboundedSender<Asked>,
    waiting: Arc<Mutex<Waiting>>,
}

/// A question, and where its answer goes.
struct Asked {
    question: Vec<u8>,
    answer: DuplexStream,
}

/// Where the answers go that are still to come.
struct Waiting {
    answers: VecDeque<DuplexStream>,
    /// Since when the first of them is waited for.
    since: Instant,
}

impl Carrier {
    fn start(stream: Stream) -> Self {
        let (asked, questions) = unbounded_channel();
        let waiting = Arc::new(Mutex::new(Waiting { answers: VecDeque::new(), since: Instant::now() }));
        let carrier = Self { asked, waiting: Arc::clone(&waiting) };
        tokio::spawn(async move {
            let (reader, writer) = stream.io.into_inner().into_split();
            // Whoever still waits when one of them ends learns that the connection is gone.
            tokio::select! {
                () = send(questions, writer, &waiting) => {}
                () = hand_out(reader, &waiting) => {}
            }
            locked(&waiting).answers.clear();
            drop(stream.errors);
        });
        carrier
    }

    fn is_held_up(&self) -> bool {
        let waiting = locked(&self.waiting);
        !waiting.answers.is_empty() && waiting.since.elapsed() > HELD_UP
    }

    /// Takes one question; a look has nothing after its head.
    async fn ask(self, mut from: DuplexStream) {
        let mut question = Vec::new();
        while !question.ends_with(b"\r\n\r\n") {
            if !matches!(from.read_buf(&mut question).await, Ok(length) if length > 0) {
                return;
            }
        }
        let _ = self.asked.send(Asked { question, answer: from });
    }
}

async fn send(mut questions: UnboundedReceiver<Asked>, mut writer: OwnedWriteHalf, waiting: &Mutex<Waiting>) {
    while let Some(Asked { question, answer }) = questions.recv().await {
        {
            let mut waiting = locked(waiting);
            if waiting.answers.is_empty() {
                waiting.since = Instant::now();
            }
            waiting.answers.push_back(answer);
        }
        if writer.write_all(&question).await.is_err() {
            return;
        }
    }
}

async fn hand_out(mut reader: OwnedReadHalf, waiting: &Mutex<Waiting>) {
    let (mut bytes, mut answer, mut to) = (vec![0; BUFFER], Answer::default(), None);
    while let Ok(length @ 1..) = reader.read(&mut bytes).await {
        let mut left = &bytes[..length];
        while !left.is_empty() {
            let Some(end) = to.take().or_else(|| locked(waiting).answers.pop_front()) else { return };
            let end = to.insert(end);
            let Ok(taken) = answer.take(left) else {
                // It ends with the connection, which nobody else can use then.
                let _ = end.write_all(left).await;
                let _ = tokio::io::copy(&mut reader, end).await;
                return;
            };
            // Whoever does not want it any more does not keep others from theirs.
            let _ = end.write_all(&left[..taken]).await;
            left = &left[taken..];
            if answer.is_over() {
                (answer, to) = (Answer::default(), None);
                locked(waiting).since = Instant::now();
            }
        }
    }
}

fn locked(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What hyper takes for a connection.
pub struct Look(TokioIo<DuplexStream>);

impl Connection for Look {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Look {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Look {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
