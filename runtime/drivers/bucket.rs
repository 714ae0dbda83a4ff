//! Buckets of servers that speak the S3 protocol, over the project's own HTTP client.
//!
//! What is not answered is asked again, a little later each time; a server that has been out of reach for a quarter of a
//! minute is given up for good, so that nobody waits long for one that is dead. What is listed is listed to the end, or it
//! is a failure: whoever believed that half a listing is all would remove what belongs to the other half.
//!
//! Everything here blocks the calling thread.

mod listing;
mod place;
mod reading;
mod refusal;
mod sign;
mod writing;
mod xml;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::http::{Header, Kept, Letter, Pulse, Reply, Trust};
use super::pace::Paces;
use crate::failure::{Failure, FailureKind};

pub use listing::Object;
pub use place::{Place, Style};
pub use reading::ObjectReader;
pub use sign::digest;
pub use writing::{Etags, ObjectWriter};

use listing::Page;
use sign::Message;

/// How long a server may say nothing before a request is tried again.
const SILENCE: Duration = Duration::from_secs(12);
/// How long one is tried that fails, from when it was last heard of.
const PATIENCE: Duration = Duration::from_secs(17);
/// The first pause before another try; each one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// What every line manages, in bytes a second: how long a request may take at most follows from it.
const SLOWEST: u64 = 16 << 10;

/// Asked again and again while something goes on: is it still to go on?
pub type Wanted = Arc<dyn Fn() -> Result<(), Failure> + Send + Sync>;

/// By what a server knows who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The name of the key.
    pub access: String,
    /// With what requests are signed.
    pub secret: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "keys of {}", self.access)
    }
}

/// A bucket that can be asked.
pub struct Bucket {
    place: Place,
    keys: Keys,
    kept: Kept,
    paces: Arc<Paces>,
    runtime: Runtime,
    wanted: Wanted,
    /// Why the server was given up.
    over: Mutex<Option<Failure>>,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place.shown())
    }
}

/// What is asked for.
struct Order<'a> {
    method: &'static str,
    key: &'a str,
    query: &'a [(&'a str, String)],
    headers: Vec<Header>,
    body: &'a [Bytes],
    /// The hash of the body.
    payload: String,
    /// How much is on its way at most, in either direction.
    bytes: u64,
}

impl<'a> Order<'a> {
    fn new(method: &'static str, key: &'a str) -> Self {
        Self { method, key, query: &[], headers: Vec::new(), body: &[], payload: digest(b""), bytes: 0 }
    }
}

impl Bucket {
    /// Nothing is asked yet.
    pub fn new(place: Place, keys: Keys, wanted: Wanted) -> Result<Self, Failure> {
        Self::paced(place, keys, &Arc::default(), wanted)
    }

    /// The same, of which everything that travels keeps to a pace.
    pub fn paced(place: Place, keys: Keys, paces: &Arc<Paces>, wanted: Wanted) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::system("start threads", &error))?;
        let (kept, paces) = (Kept::new(Trust::System, paces), Arc::clone(paces));
        Ok(Self { place, keys, kept, paces, runtime, wanted, over: Mutex::new(None) })
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// An object as a whole; `None` when there is none.
    pub fn get(&self, name: &str) -> Result<Option<Reply>, Failure> {
        let key = self.place.key(name);
        let reply = self.ask(&Order { bytes: u64::from(u32::MAX), ..Order::new("GET", &key) })?;
        Ok((reply.status == 200).then_some(reply))
    }

    /// A part of an object that is there.
    pub fn get_part(&self, name: &str, offset: u32, length: u32) -> Result<Bytes, Failure> {
        self.get_range(name, offset, length, length)
    }

    /// A part of an object and what follows, as far as it is there: from `length` to `most` bytes.
    pub fn get_range(&self, name: &str, offset: u32, length: u32, most: u32) -> Result<Bytes, Failure> {
        let key = self.place.key(name);
        let (first, last) = (u64::from(offset), u64::from(offset) + u64::from(most) - 1);
        let headers = vec![("range".into(), format!("bytes={first}-{last}"))];
        let reply = self.ask(&Order { headers, bytes: most.into(), ..Order::new("GET", &key) })?;
        if reply.status == 206 && (length as usize..=most as usize).contains(&reply.body.len()) {
            return Ok(reply.body);
        }
        let what = match reply.status {
            404 => "it is not there".to_owned(),
            416 => "it is shorter".to_owned(),
            status => format!("the answer is {status} with {} bytes", reply.body.len()),
        };
        let kind = if reply.status == 404 { FailureKind::NotFound } else { FailureKind::System };
        let shown = self.shown(name);
        Err(Failure::new(kind, format!("cannot read {length} bytes of `{shown}`: {what}")))
    }

    /// Puts an object there; `payload` is the hash of its bytes, which the server compares. With `is_new`, only where there is
    /// none: `false` when there is.
    pub fn put(&self, name: &str, pieces: &[Bytes], payload: &str, is_new: bool) -> Result<bool, Failure> {
        let key = self.place.key(name);
        let bytes = pieces.iter().map(Bytes::len).sum::<usize>() as u64;
        let headers = if is_new { vec![("if-none-match".into(), "*".to_owned())] } else { Vec::new() };
        let payload = payload.to_owned();
        let reply = self.ask(&Order { headers, body: pieces, payload, bytes, ..Order::new("PUT", &key) })?;
        match reply.status {
            200 => Ok(true),
            412 if is_new => Ok(false),
            status => Err(Failure::new(FailureKind::System, format!("cannot write `{}`: {status}", self.shown(name)))),
        }
    }

    /// Removes an object; one that is not there is removed already.
    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        let key = self.place.key(name);
        self.ask(&Order::new("DELETE", &key)).map(drop)
    }

    /// Everything whose name begins like this, to the last page.
    pub fn list(&self, name: &str) -> Result<Vec<Object>, Failure> {
        let prefix = self.place.key(name);
        let (mut all, mut next): (Vec<Object>, Option<String>) = (Vec::new(), None);
        loop {
            (self.wanted)()?;
            let mut query = vec![("list-type", "2".to_owned()), ("prefix", prefix.clone())];
            query.extend(next.take().map(|token| ("continuation-token", token)));
            let reply = self.ask(&Order { query: &query, bytes: 4 << 20, ..Order::new("GET", "") })?;
            let page = std::str::from_utf8(&reply.body).map_err(|_| "it is no text".to_owned()).and_then(Page::parse);
            let page = page.map_err(|why| {
                let message = format!("the listing of `{}` cannot be read: {why}", self.shown(name));
                Failure::new(FailureKind::Invalid, message)
            })?;
            if let Some(object) = page.objects.iter().find(|object| !object.key.starts_with(&prefix)) {
                let message = format!("the listing of `{}` names `{}`", self.shown(name), object.key);
                return Err(Failure::new(FailureKind::Invalid, message));
            }
            let is_stuck = page.next.is_some() && page.objects.is_empty();
            all.extend(page.objects);
            match page.next {
                None => return Ok(all),
                Some(_) if is_stuck => {
                    let message = format!("the listing of `{}` has no end", self.shown(name));
                    return Err(Failure::new(FailureKind::Invalid, message));
                }
                token => next = token,
            }
        }
    }

    fn shown(&self, name: &str) -> String {
        format!("{}/{name}", self.place.shown())
    }

    /// Asks until there is an answer that means something: 404, 412 and 416 are such.
    fn ask(&self, order: &Order<'_>) -> Result<Reply, Failure> {
        let mut pause = PAUSE;
        // When the server was last known to be well.
        let mut since: Option<Instant> = None;
        loop {
            if let Some(failure) = self.given_up() {
                return Err(failure);
            }
            let pulse = Pulse::new();
            let silence = since.map_or(SILENCE, |since| SILENCE.min(PATIENCE.saturating_sub(since.elapsed())));
            let failure = match self.once(order, silence.max(Duration::from_secs(1)), &pulse) {
                Ok(reply) => match refusal::of(&reply, &self.place, order.key) {
                    None => return Ok(reply),
                    Some(refusal) if refusal.is_final => return Err(refusal.failure),
                    Some(refusal) => refusal.failure,
                },
                Err(failure) if !matches!(failure.kind, FailureKind::Timeout | FailureKind::Unreachable) => {
                    return Err(failure);
                }
                Err(failure) => failure,
            };
            (self.wanted)()?;
            let since = *since.get_or_insert(pulse.last());
            if since.elapsed() + pause > PATIENCE {
                let tried = format!("tried again for {}s", since.elapsed().as_secs());
                let failure = failure.evidence("given up", tried);
                return Err(self.over.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure).clone());
            }
            self.rest(pause)?;
            pause *= 2;
        }
    }

    fn given_up(&self) -> Option<Failure> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn rest(&self, pause: Duration) -> Result<(), Failure> {
        let end = Instant::now() + pause;
        while Instant::now() < end {
            (self.wanted)()?;
            std::thread::sleep(Duration::from_millis(100).min(end.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }

    /// Asks once, and stops asking when nobody wants to know any more.
    fn once(&self, order: &Order<'_>, silence: Duration, pulse: &Pulse) -> Result<Reply, Failure> {
        let (host, path) = (self.place.host(), self.place.path(order.key));
        let message = Message {
            method: order.method,
            host: &host,
            path: &path,
            query: order.query,
            payload: &order.payload,
            headers: &order.headers,
        };
        let letter = Letter {
            method: order.method,
            address: self.place.url(order.key, &sign::query(order.query))?,
            headers: sign::signed(&message, &self.keys, &self.place.region, Timestamp::now()),
            body: order.body.to_vec(),
        };
        let whole = Duration::from_secs(60 + order.bytes / SLOWEST) + self.paces.patience(order.bytes);
        self.runtime.block_on(async {
            let work = self.kept.exchange(letter, silence, whole, pulse);
            tokio::pin!(work);
            loop {
                tokio::select! {
                    done = &mut work => return done,
                    () = tokio::time::sleep(Duration::from_millis(250)) => (self.wanted)()?,
                }
            }
        })
    }
}
