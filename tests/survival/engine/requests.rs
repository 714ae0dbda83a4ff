//! Fifty requests a second to a service, and what became of each.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two requests.
const TICK: Duration = Duration::from_millis(20);
/// How long an answer may take. A dead container behind a live port may take its time to be noticed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Requests that go on until they are looked at.
pub struct Requests {
    stop: Arc<AtomicBool>,
    clock: JoinHandle<Vec<Request>>,
}

/// A request: when it was sent, when its end was known, and the version that answered.
///
/// A busy machine is late with both, and sends again what it lost a second before. What is certain is that the answer was
/// given, or refused, between the two.
#[derive(Clone, Debug)]
struct Request {
    sent: Instant,
    ended: Instant,
    answer: Option<String>,
}

/// What a service answered in the course of a deployment.
pub struct Answers {
    service: &'static str,
    all: Vec<Request>,
}

impl Requests {
    /// Begins to ask the service at a port of this machine.
    pub fn begin(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let clock = std::thread::spawn(move || {
            let (began, answers) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
            let mut open = Vec::new();
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                std::thread::sleep((TICK * number).saturating_sub(began.elapsed()));
                let answers = answers.clone();
                open.push(std::thread::spawn(move || {
                    let sent = Instant::now();
                    let answer = ask(port);
                    answers.lock().unwrap().push(Request { sent, ended: Instant::now(), answer });
                }));
            }
            for request in open {
                request.join().unwrap();
            }
            let mut all = std::mem::take(&mut *answers.lock().unwrap());
            all.sort_by_key(|request| request.sent);
            all
        });
        Self { stop, clock }
    }

    /// Ends them.
    pub fn end(self, service: &'static str) -> Answers {
        self.stop.store(true, Ordering::Relaxed);
        Answers { service, all: self.clock.join().unwrap() }
    }
}

/// The version that answers at this port.
pub fn ask(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(b"GET /version HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let version = body.trim();
    (head.contains(" 200 ") && !version.is_empty()).then(|| version.to_owned())
}

impl Answers {
    /// What was answered in the order of sending: `1 ×120, nothing ×31, 2 ×74`.
    pub fn course(&self) -> String {
        let runs = self.all.chunk_by(|a, b| a.answer == b.answer);
        let shown = runs.map(|run| format!("{} ×{}", run[0].answer.as_deref().unwrap_or("nothing"), run.len()));
        format!("{}: {}", self.service, shown.collect::<Vec<_>>().join(", "))
    }

    /// How long nobody answered between one version and the next. `None` when there is no such pair of moments that the one
    /// answered until the first, the other from the second on, and every failure lies between them.
    pub fn swap(&self, before: usize, after: usize) -> Option<Duration> {
        let (old, new) = (before.to_string(), after.to_string());
        let until =
            self.all.iter().filter(|request| request.answer.as_ref() == Some(&old)).map(|old| old.sent).max()?;
        let from =
            self.all.iter().filter(|request| request.answer.as_ref() == Some(&new)).map(|new| new.ended).min()?;
        let mut failed = self.all.iter().filter(|request| request.answer.is_none());
        let in_between = failed.all(|request| request.ended >= until && request.sent <= from);
        (until <= from && in_between).then(|| from - until)
    }

    /// Did every request get an answer of this version?
    pub fn only(&self, version: usize) -> bool {
        self.all.iter().all(|request| request.answer.as_deref() == Some(&version.to_string()))
    }

    /// How long nobody answered, whatever was answered around it.
    pub fn silence(&self) -> Duration {
        let runs = self.all.chunk_by(|a, b| a.answer.is_none() == b.answer.is_none());
        let silent = runs.filter(|run| run[0].answer.is_none()).filter_map(|run| Some(run.last()?.ended - run[0].sent));
        silent.max().unwrap_or_default()
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.all.first(), self.all.last()) else { return 0.0 };
        f64::from(u32::try_from(self.all.len()).unwrap()) / (last.sent - first.sent).as_secs_f64()
    }
}
