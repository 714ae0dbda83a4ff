//! One channel on the session's thread: opened, pumped between the network and two local sockets, closed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use ssh2::{ErrorCode, Session};
use tokio::sync::oneshot;

use super::flow::Flow;
use super::link::{Closing, Opened, Purpose, Refusal, Request};

/// `LIBSSH2_ERROR_EAGAIN`: nothing can be done before the network has or takes something.
const AGAIN: ErrorCode = ErrorCode::Session(-37);
/// `LIBSSH2_ERROR_CHANNEL_FAILURE`: the server refuses to open it.
const REFUSED: ErrorCode = ErrorCode::Session(-21);
/// `LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED`: the server refuses to start the command.
const REQUEST_DENIED: ErrorCode = ErrorCode::Session(-22);

/// Did a step move anything?
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Moved,
    Waits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Starting,
    Flowing,
    Closing,
    AwaitingClose,
    Over,
}

/// A channel and its local ends.
pub struct Channel {
    purpose: Purpose,
    state: State,
    remote: Option<ssh2::Channel>,
    reply: Option<oneshot::Sender<Result<Opened, Refusal>>>,
    end: Option<oneshot::Sender<Closing>>,
    io: Option<UnixStream>,
    errors: Option<UnixStream>,
    input: Flow,
    output: Flow,
    error_output: Flow,
    has_sent_end: bool,
    /// Did the server say that no more comes?
    has_all: bool,
}

impl Channel {
    /// A channel that is asked for.
    pub fn new(request: Request) -> Self {
        Self {
            purpose: request.purpose,
            state: State::Opening,
            remote: None,
            reply: Some(request.reply),
            end: None,
            io: None,
            errors: None,
            input: Flow::default(),
            output: Flow::default(),
            error_output: Flow::default(),
            has_sent_end: false,
            has_all: false,
        }
    }

    /// Is the server still to be asked for it?
    pub fn is_opening(&self) -> bool {
        self.state == State::Opening
    }

    /// Is there nothing left to do?
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Does anybody still look at it?
    pub fn is_wanted(&self) -> bool {
        !matches!(self.state, State::Over | State::AwaitingClose) || self.end.is_some()
    }

    /// Is something from the server waited for?
    pub fn listens(&self) -> bool {
        match self.state {
            State::Flowing => self.output.has_room() || self.error_output.has_room() || !self.input.is_empty(),
            State::Over => false,
            _ => true,
        }
    }

    /// What to wait for at the local ends.
    pub fn sources(&self) -> impl Iterator<Item = PollFd<'_>> {
        let mut io = PollFlags::empty();
        io.set(PollFlags::IN, !self.input.has_ended() && self.input.has_room());
        io.set(PollFlags::OUT, !self.output.is_empty());
        let errors = if self.error_output.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        let flowing = self.state == State::Flowing;
        let ends = [(&self.io, io), (&self.errors, errors)];
        let open = ends.into_iter().filter_map(move |(socket, flags)| Some((socket.as_ref()?, flags)));
        open.filter(move |_| flowing).map(|(socket, flags)| PollFd::new(socket, flags))
    }

    /// Goes on as far as it can without waiting; the error says why the whole connection is lost.
    pub fn step(&mut self, session: &Session) -> Result<Progress, String> {
        match self.state {
            State::Opening => self.open(session),
            State::Starting => self.start(),
            State::Flowing => self.flow(),
            State::Closing => self.close(),
            State::AwaitingClose => self.await_close(),
            State::Over => Ok(Progress::Waits),
        }
    }

    fn open(&mut self, session: &Session) -> Result<Progress, String> {
        let opened = match &self.purpose {
            Purpose::Command(_) => session.channel_session(),
            Purpose::Socket(path) => session.channel_direct_streamlocal(path, None),
            Purpose::Port(host, port) => session.channel_direct_tcpip(host, *port, None),
        };
        match opened {
            Ok(remote) => {
                self.remote = Some(remote);
                self.state = State::Starting;
            }
            Err(error) if error.code() == AGAIN => return Ok(Progress::Waits),
            Err(error) if error.code() == REFUSED => {
                self.refuse(error.message());
                self.state = State::Over;
            }
            Err(error) => return Err(error.message().to_owned()),
        }
        Ok(Progress::Moved)
    }

    fn start(&mut self) -> Result<Progress, String> {
        let started = match (&self.purpose, &mut self.remote) {
            (Purpose::Command(line), Some(remote)) => remote.exec(line),
            _ => Ok(()),
        };
        match started {
            Ok(()) => match self.hand_over() {
                Ok(()) => self.state = State::Flowing,
                Err(error) => {
                    self.refuse(&format!("cannot make a pair of sockets: {error}"));
                    self.state = State::Closing;
                }
            },
            Err(error) if error.code() == AGAIN => return Ok(Progress::Waits),
            Err(error) if error.code() == REQUEST_DENIED => {
                self.refuse(error.message());
                self.state = State::Closing;
            }
            Err(error) => return Err(error.message().to_owned()),
        }
        Ok(Progress::Moved)
    }

    fn refuse(&mut self, why: &str) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(Err(Refusal::Denied(why.to_owned())));
        }
    }

    /// Gives the other ends of the local sockets to whoever asked.
    fn hand_over(&mut self) -> io::Result<()> {
        let pair = || -> io::Result<(UnixStream, UnixStream)> {
            let (ours, theirs) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            theirs.set_nonblocking(true)?;
            Ok((ours, theirs))
        };
        let (ours, io) = pair()?;
        self.io = Some(ours);
        let mut errors = None;
        if matches!(self.purpose, Purpose::Command(_)) {
            let (ours, theirs) = pair()?;
            self.errors = Some(ours);
            errors = Some(theirs);
        }
        let (sender, end) = oneshot::channel();
        self.end = Some(sender);
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(Ok(Opened { io, errors, end }));
        }
        Ok(())
    }

    fn flow(&mut self) -> Result<Progress, String> {
        let (Some(remote), Some(io)) = (&mut self.remote, &mut self.io) else { return Ok(Progress::Waits) };
        if is_dropped(io) {
            return Ok(self.give_up());
        }
        let mut moved = self.input.take(io).unwrap_or(true);
        while !self.input.is_empty() {
            match remote.write(self.input.pending()) {
                Ok(0) => break,
                Ok(length) => self.input.sent(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The other side takes no more input; what it still says is read all the same.
                Err(_) if remote.eof() => self.input.end(),
                Err(error) => return Err(error.to_string()),
            }
            moved = true;
        }
        if self.input.has_ended() && self.input.is_empty() && !self.has_sent_end {
            match remote.send_eof() {
                Err(error) if error.code() == AGAIN => {}
                _ => {
                    self.has_sent_end = true;
                    moved = true;
                }
            }
        }
        if !self.has_all {
            moved |= self.output.take(&mut Remote(remote)).map_err(|error| error.to_string())?;
            moved |= self.error_output.take(&mut Remote(&mut remote.stderr())).map_err(|error| error.to_string())?;
            if remote.eof() {
                self.has_all = true;
                moved = true;
            }
        }
        let delivered = self.output.give(io).and_then(|gave| match &mut self.errors {
            Some(errors) => self.error_output.give(errors).map(|more| gave || more),
            None => Ok(gave),
        });
        match delivered {
            Ok(gave) => moved |= gave,
            Err(_) => return Ok(self.give_up()),
        }
        if self.has_all && self.output.is_empty() && self.error_output.is_empty() {
            let _ = io.shutdown(Shutdown::Write);
            self.errors = None;
            self.state = State::Closing;
            moved = true;
        }
        Ok(if moved { Progress::Moved } else { Progress::Waits })
    }

    /// Nobody reads it any more: it is closed, which ends what hangs on it at the other side.
    fn give_up(&mut self) -> Progress {
        (self.io, self.errors, self.end) = (None, None, None);
        self.state = State::Closing;
        Progress::Moved
    }

    fn close(&mut self) -> Result<Progress, String> {
        match self.remote.as_mut().map(ssh2::Channel::close) {
            Some(Err(error)) if error.code() == AGAIN => return Ok(Progress::Waits),
            Some(Err(error)) if self.end.is_some() => return Err(error.message().to_owned()),
            _ => self.state = State::AwaitingClose,
        }
        Ok(Progress::Moved)
    }

    /// The server's own close is the last word: only then are exit code and signal certain.
    fn await_close(&mut self) -> Result<Progress, String> {
        let Some(remote) = &mut self.remote else {
            self.state = State::Over;
            return Ok(Progress::Moved);
        };
        match remote.wait_close() {
            Err(error) if error.code() == AGAIN => return Ok(Progress::Waits),
            Err(error) if self.end.is_some() => return Err(error.message().to_owned()),
            Err(_) => {}
            Ok(()) => {
                let signal = remote.exit_signal().ok().and_then(|signal| signal.exit_signal);
                let status = remote.exit_status().unwrap_or(-1);
                if let Some(end) = self.end.take().filter(|_| self.has_all) {
                    let _ = end.send(Closing { signal, status });
                }
            }
        }
        self.io = None;
        self.state = State::Over;
        Ok(Progress::Moved)
    }
}

/// A stream of the channel, of which libssh2 says that it has 0 bytes when it has none yet.
struct Remote<'a, R>(&'a mut R);

impl<R: Read> Read for Remote<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.0.read(bytes) {
            Ok(0) => Err(ErrorKind::WouldBlock.into()),
            other => other,
        }
    }
}

/// Has whoever held the other end let go of it altogether?
fn is_dropped(socket: &UnixStream) -> bool {
    let mut source = [PollFd::new(socket, PollFlags::empty())];
    let now = rustix::event::Timespec::default();
    poll(&mut source, Some(&now)).is_ok_and(|ready| ready > 0 && source[0].revents().contains(PollFlags::HUP))
}
