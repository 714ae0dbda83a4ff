use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use reqwest::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use reqwest::{Body, Client, Method, Response};

use super::sight::Sight;
use super::{Address, Trust, client, fault, reach};
use crate::drivers::pace::Paces;
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(5);
/// In what pieces a body is handed on: each is a sign of life.
const PIECE: usize = 64 << 10;

/// Connections to one server that are kept between requests, for those who send it many.
///
/// Nothing is followed and nothing repeated: an answer is an answer, and who asks knows what to do with a failure. After a
/// failure the next request is made on a new connection.
pub struct Kept {
    trust: Trust,
    paces: Arc<Paces>,
    line: Mutex<Option<Arc<Line>>>,
}

/// A client and what it saw.
struct Line {
    client: Client,
    sight: Sight,
}

/// A header of a request: its name in lower case, and its value.
pub type Header = (Cow<'static, str>, String);

/// One request.
pub struct Letter {
    /// `GET`, `PUT`, `POST`, `DELETE`, `HEAD`.
    pub method: &'static str,
    /// Where to.
    pub address: Address,
    /// Values stay out of every message.
    pub headers: Vec<Header>,
    /// The body, in pieces.
    pub body: Vec<Bytes>,
}

/// The whole answer to it.
pub struct Reply {
    /// 100 to 599.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// When the server last took or gave something.
#[derive(Clone)]
pub struct Pulse(Arc<AtomicU64>, Instant);

impl Pulse {
    /// Begins now.
    pub fn new() -> Self {
        Self(Arc::default(), Instant::now())
    }

    fn beat(&self) {
        let passed = u64::try_from(self.1.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.store(passed, Ordering::Relaxed);
    }

    /// The moment.
    pub fn last(&self) -> Instant {
        self.1 + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    /// Nothing is connected yet. Everything keeps to that pace.
    pub fn new(trust: Trust, paces: &Arc<Paces>) -> Self {
        Self { trust, paces: Arc::clone(paces), line: Mutex::new(None) }
    }

    /// Sends a request and reads all of the answer. Ends when nothing went either way for `silence`, or after `whole`,
    /// however lively the server is. The server is named by whoever asks: it may lie in a private network.
    pub async fn exchange(
        &self,
        letter: Letter,
        silence: Duration,
        whole: Duration,
        pulse: &Pulse,
    ) -> Result<Reply, Failure> {
        let address = letter.address.clone();
        if let Some(ip) = address.ip() {
            reach::check(&address, ip, true)?;
        }
        let line = self.line(&address)?;
        let end = Instant::now() + whole;
        let work = converse(&line, letter, &self.paces, pulse);
        tokio::pin!(work);
        let ended = loop {
            let until = (pulse.last() + silence).min(end);
            tokio::select! {
                done = &mut work => break done,
                () = tokio::time::sleep_until(until.into()) => {
                    let now = Instant::now();
                    if now >= end {
                        let message = format!("`{address}`: not done after {}", Span(whole));
                        break Err(Failure::new(FailureKind::Timeout, message));
                    }
                    if now >= pulse.last() + silence {
                        break Err(fault::timed_out(silence, &address, &line.sight, true));
                    }
                }
            }
        };
        if ended.is_err() {
            self.line.lock().unwrap_or_else(PoisonError::into_inner).take_if(|kept| Arc::ptr_eq(kept, &line));
        }
        ended
    }

    fn line(&self, address: &Address) -> Result<Arc<Line>, Failure> {
        let mut kept = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = &*kept {
            return Ok(Arc::clone(line));
        }
        let sight = Sight::default();
        let mut builder = client::builder(&self.trust, address, None, true, &sight)?
            .connect_timeout(CONNECTING)
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(8);
        if address.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| client::broken(address, &error))?;
        Ok(Arc::clone(kept.insert(Arc::new(Line { client, sight }))))
    }
}

async fn converse(line: &Line, letter: Letter, paces: &Arc<Paces>, pulse: &Pulse) -> Result<Reply, Failure> {
    let address = letter.address.clone();
    let explained = |error: reqwest::Error| {
        if error.is_connect() && error.is_timeout() {
            return fault::timed_out(CONNECTING, &address, &line.sight, false);
        }
        fault::explain(&error, &address, &line.sight)
    };
    let mut response = line.client.execute(wire(letter, paces, pulse)?).await.map_err(explained)?;
    pulse.beat();
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(explained)? {
        pulse.beat();
        paces.down.pass(piece.len(), || pulse.beat()).await;
        body.extend_from_slice(&piece);
    }
    Ok(Reply { status: response.status().as_u16(), headers: headers(&response), body: body.freeze() })
}

fn wire(letter: Letter, paces: &Arc<Paces>, pulse: &Pulse) -> Result<reqwest::Request, Failure> {
    let broken = |what: &dyn std::fmt::Display| client::broken(&letter.address, what);
    let method = Method::from_bytes(letter.method.as_bytes()).map_err(|error| broken(&error))?;
    let mut request = reqwest::Request::new(method, letter.address.url().clone());
    for (name, value) in &letter.headers {
        // The value stays out of the message.
        let mut value = HeaderValue::from_str(value).map_err(|_| broken(&format!("the header `{name}` is not one")))?;
        value.set_sensitive(name == "authorization");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| broken(&error))?;
        request.headers_mut().insert(name, value);
    }
    if matches!(letter.method, "PUT" | "POST") {
        let size: usize = letter.body.iter().map(Bytes::len).sum();
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
        let (pulse, paces) = (pulse.clone(), Arc::clone(paces));
        let pieces = letter.body.into_iter().flat_map(|mut piece| {
            std::iter::from_fn(move || {
                let next = piece.split_to(piece.len().min(PIECE));
                (!next.is_empty()).then_some(next)
            })
        });
        let pieces = stream::iter(pieces).then(move |piece| {
            let (pulse, paces) = (pulse.clone(), Arc::clone(&paces));
            async move {
                paces.up.pass(piece.len(), || pulse.beat()).await;
                pulse.beat();
                Ok::<Bytes, std::io::Error>(piece)
            }
        });
        *request.body_mut() = Some(Body::wrap_stream(pieces));
    }
    Ok(request)
}

fn headers(response: &Response) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
