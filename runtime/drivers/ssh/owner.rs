//! The thread that a session lives on: it alone touches libssh2, and never blocks once the user is logged in.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Session};
use tokio::sync::oneshot;

use super::channel::{Channel, Progress};
use super::connect;
use super::fault::Phase;
use super::link::{Opened, Request, Shared};
use super::target::Target;
use crate::failure::Failure;
use crate::units::Span;

/// Silence after which the server is asked for a sign of life.
const ASK_AFTER: Duration = Duration::from_secs(6);
/// Silence after which it is taken for dead, the question included.
const DEAD_AFTER: Duration = Duration::from_secs(17);
/// What is said of that.
const SILENCE: &str = "the host has not answered for";
/// How often to look at the clock.
const TICK: Duration = Duration::from_secs(1);
/// The same while there are several channels: while one is asked, libssh2 takes in what came for the others, of which the
/// network then says nothing any more.
const TICK_OF_MANY: Duration = Duration::from_millis(20);

/// Was the connection given up because the host said nothing?
pub fn is_silence(failure: &Failure) -> bool {
    failure.message.contains(SILENCE)
}

/// Connects, says how that went, and serves channels until nobody wants the connection any more or it is lost.
pub fn own(
    target: &Target,
    carrier: Option<Opened>,
    requests: &Receiver<Request>,
    woken: &UnixStream,
    shared: &Shared,
    ready: oneshot::Sender<Result<(), Failure>>,
) {
    match connect::session(target, carrier, shared) {
        Ok((session, socket)) => {
            shared.enter(Phase::Opening);
            if ready.send(Ok(())).is_ok() {
                let now = Instant::now();
                Owner { session, socket, requests, woken, shared, channels: Vec::new(), heard: now, asked: None }
                    .serve();
            }
        }
        Err(failure) => {
            shared.lose(failure.message.clone());
            let _ = ready.send(Err(failure));
        }
    }
}

struct Owner<'a> {
    session: Session,
    socket: OwnedFd,
    requests: &'a Receiver<Request>,
    woken: &'a UnixStream,
    shared: &'a Shared,
    channels: Vec<Channel>,
    /// When something last came from the server, or nothing was waited for.
    heard: Instant,
    /// When it was last asked for a sign of life.
    asked: Option<Instant>,
}

impl Owner<'_> {
    fn serve(mut self) {
        self.session.set_blocking(false);
        self.session.set_keepalive(true, 1);
        while self.take_requests() {
            match self.work() {
                Ok(is_full) => self.wait(is_full),
                Err(why) => {
                    self.shared.lose(why);
                    break;
                }
            }
            if let Some(why) = self.watch() {
                self.shared.lose(why);
                break;
            }
        }
        self.shared.lose("the connection is closed");
        // Goodbye, if the network takes it at once.
        let _ = self.session.disconnect(None, "done", None);
        self.shared.shut();
    }

    /// Adds the channels that are asked for; false once nobody can ask any more and all are done.
    fn take_requests(&mut self) -> bool {
        let mut signs = [0; 64];
        while matches!(self.woken.read(&mut signs), Ok(length) if length > 0) {}
        loop {
            match self.requests.try_recv() {
                Ok(request) => self.channels.push(Channel::new(request)),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return self.channels.iter().any(Channel::is_wanted),
            }
        }
    }

    /// Moves everything on that can be moved on. Says whether the network takes no more for now; fails when it is lost.
    fn work(&mut self) -> Result<bool, String> {
        let mut is_full = false;
        loop {
            let mut moved = false;
            // libssh2 opens one channel at a time.
            let opening = self.channels.iter().position(Channel::is_opening);
            for (index, channel) in self.channels.iter_mut().enumerate() {
                if channel.is_opening() && opening != Some(index) {
                    continue;
                }
                match channel.step(&self.session)? {
                    Progress::Moved => moved = true,
                    Progress::Waits => {
                        let direction = self.session.block_directions();
                        is_full |= matches!(direction, BlockDirections::Outbound | BlockDirections::Both);
                    }
                }
            }
            self.channels.retain(|channel| !channel.is_over());
            self.shared.has_channels(self.channels.len());
            if !moved {
                return Ok(is_full);
            }
            is_full = false;
        }
    }

    /// Sleeps until the network or somebody at the other end of a channel has something, or it is time to look
    /// again.
    fn wait(&mut self, is_full: bool) {
        let listens = self.channels.iter().any(Channel::listens);
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, listens);
        wanted.set(PollFlags::OUT, is_full);
        // With nothing open nobody reads: then only the end of the connection is of interest.
        wanted.set(PollFlags::RDHUP, self.channels.is_empty());
        let mut sources = vec![PollFd::new(&self.socket, wanted), PollFd::new(self.woken, PollFlags::IN)];
        sources.extend(self.channels.iter().flat_map(Channel::sources));
        let time = Timespec::try_from(if self.channels.len() > 1 { TICK_OF_MANY } else { TICK }).ok();
        let ready = poll(&mut sources, time.as_ref()).unwrap_or(0) > 0;
        let network = if ready { sources[0].revents() } else { PollFlags::empty() };
        drop(sources);
        if !listens || network.contains(PollFlags::IN) {
            self.heard = Instant::now();
            self.asked = None;
        }
        if self.channels.is_empty() && network.intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR) {
            self.shared.lose("the server closed the connection");
        }
    }

    /// Asks a silent server for a sign of life; says why it is given up.
    fn watch(&mut self) -> Option<String> {
        if let Some(why) = self.shared.lost() {
            return Some(why.to_owned());
        }
        let silence = self.heard.elapsed();
        if silence > DEAD_AFTER {
            return Some(format!("{SILENCE} {}", Span(Duration::from_secs(silence.as_secs()))));
        }
        if silence > ASK_AFTER && self.asked.is_none() && self.has_room() {
            self.asked = Some(Instant::now());
            let _ = self.session.keepalive_send();
        }
        None
    }

    /// Does the network take something now? A packet that is sent in part could only be completed by whoever began it.
    fn has_room(&self) -> bool {
        let mut socket = [PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::OUT)];
        poll(&mut socket, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}
