//! Running a command inside a container.

use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::errors::{failure, reason};
use super::exec_kill::Leash;
use super::logs::chunk;
use super::{Engine, Lines};
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// What to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// Program and arguments.
    pub command: Vec<String>,
    /// User (and group), else the container's.
    pub user: Option<String>,
    /// `NAME=value`, on top of the container's.
    pub env: Vec<String>,
    /// Folder, else the container's.
    pub working_dir: Option<String>,
    /// All rights on the host.
    pub privileged: bool,
    /// After this long the process and its children are killed and the call fails.
    pub limit: Option<Duration>,
    /// What its processes are marked with, so that they can be found; made up when empty.
    pub mark: String,
}

/// A command that is prepared and not started.
pub(super) struct Created {
    /// The engine's name for it.
    pub id: String,
    /// `` `program` in container `name` ``.
    pub what: String,
    pub leash: Leash,
    limit: Option<Duration>,
}

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it came from.
    pub stream: OutputStream,
    /// Whatever bytes they were.
    pub bytes: Bytes,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code; 126 or 127 when it could not be started.
    pub exit_code: i64,
    /// Why it could not be started.
    pub not_started: Option<String>,
}

/// Where a command reads from.
pub type Input<'a> = Pin<Box<dyn AsyncRead + Send + 'a>>;

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// The engine reports a program it cannot start as output of that program.
const NOT_STARTED: &[u8] = b"OCI runtime exec failed";

impl Engine {
    /// Runs a command in a running container, its output line by line.
    ///
    /// When the future is dropped or the request's limit passes, the process and everything it started are killed: the
    /// engine by itself would let them run on.
    pub async fn exec(
        &self,
        container: &str,
        request: &ExecRequest,
        input: Option<Input<'_>>,
        on_line: &mut (dyn FnMut(OutputStream, &str) + Send),
    ) -> Result<Finished, Failure> {
        let mut lines = Lines::default();
        let finished = self.exec_bytes(container, request, input, &mut |chunk| lines.push(&chunk, on_line)).await;
        lines.finish(on_line);
        finished
    }

    /// The same with the output as it comes, for dumps and archives.
    pub async fn exec_bytes(
        &self,
        container: &str,
        request: &ExecRequest,
        input: Option<Input<'_>>,
        on_chunk: &mut (dyn FnMut(Chunk) + Send),
    ) -> Result<Finished, Failure> {
        let created = self.create_exec(container, request, input.is_some()).await?;
        self.start_exec(created, input, on_chunk).await
    }

    /// Prepares a command; nothing happens before [`start_exec`](Self::start_exec).
    pub(super) async fn create_exec(
        &self,
        container: &str,
        request: &ExecRequest,
        with_input: bool,
    ) -> Result<Created, Failure> {
        let line = request.command.join(" ");
        let api = self.api().await?;
        let leash =
            Leash::new(api.clone(), self.may_be_this_machine(), container, request.user.as_deref(), &request.mark);
        let config = ExecConfig {
            attach_stdin: Some(with_input),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            // A terminal would merge the streams and change the bytes.
            tty: Some(false),
            env: Some(request.env.iter().cloned().chain([leash.mark()]).collect()),
            cmd: Some(request.command.clone()),
            privileged: Some(request.privileged),
            user: request.user.clone(),
            working_dir: request.working_dir.clone(),
            ..ExecConfig::default()
        };
        let what = format!("`{line}` in container `{container}`");
        let created = api.create_exec(container, config).await;
        let id = created.map_err(|error| Problem::Engine(error).describe(self, format!("run {what}")))?.id;
        Ok(Created { id, what, leash, limit: request.limit })
    }

    /// Starts a prepared command and stays with it to its end.
    pub(super) async fn start_exec(
        &self,
        created: Created,
        input: Option<Input<'_>>,
        on_chunk: &mut (dyn FnMut(Chunk) + Send),
    ) -> Result<Finished, Failure> {
        let Created { id, what, leash, limit } = created;
        let api = self.api().await?;
        let describe = |problem: Problem| problem.describe(self, format!("run {what}"));
        let work = self.attach(api, &id, leash.clone(), input, on_chunk);
        let Some(limit) = limit else { return work.await.map_err(describe) };
        if let Ok(result) = tokio::time::timeout(limit, work).await {
            return result.map_err(describe);
        }
        let failure = Failure::new(FailureKind::Timeout, format!("{what} did not end within {}", Span(limit)));
        // Dropping the work killed it; a second try has more time.
        let ended = !still_running(api, &id).await || (leash.pull().await && !still_running(api, &id).await);
        Err(if ended {
            failure.hint("it was killed, with everything it started")
        } else {
            failure.hint("it could not be killed: the container has no shell, and its processes are not visible here")
        })
    }

    async fn attach(
        &self,
        api: &Docker,
        id: &str,
        leash: Leash,
        input: Option<Input<'_>>,
        on_chunk: &mut (dyn FnMut(Chunk) + Send),
    ) -> Result<Finished, Problem> {
        // From here on the process may exist, so whoever drops this future has to end it.
        let guard = leash.guard();
        let options = StartExecOptions { output_capacity: Some(64 * 1024), ..StartExecOptions::default() };
        let (output, sink) = match api.start_exec(id, Some(options)).await {
            Ok(StartExecResults::Attached { output, input }) => (output, input),
            Ok(StartExecResults::Detached) => return Err(Problem::NotAttached),
            Err(Error::DockerResponseServerError { message, .. })
                if message.as_bytes().starts_with(NOT_STARTED)
                    || message.contains("unable to start container process") =>
            {
                guard.disarm();
                return Ok(Finished { exit_code: 126, not_started: Some(reason(&message)) });
            }
            Err(error) => return Err(Problem::Engine(error)),
        };
        let mut refusal = None;
        let read = read(output, &mut refusal, on_chunk);
        // Input and output move at the same time: a command that fills its output before it has read its input would
        // otherwise wait for ever, and so would we.
        tokio::select! {
            result = read => result.map_err(Problem::Engine)?,
            () = write(sink, input) => {}
        }
        // The output of a command that goes on may have been cut off: that is no end, and there is no code yet.
        let mut ended = api.inspect_exec(id).await.map_err(Problem::Engine)?;
        let mut patience = 200;
        while ended.running == Some(true) && patience > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            patience -= 1;
            ended = api.inspect_exec(id).await.map_err(Problem::Engine)?;
        }
        if ended.running == Some(true) {
            return Err(Problem::CutOff);
        }
        guard.disarm();
        let exit_code = ended.exit_code.unwrap_or_default();
        let not_started = refusal.filter(|_| exit_code == 126 || exit_code == 127).map(|text| reason(&text));
        Ok(Finished { exit_code, not_started })
    }
}

enum Problem {
    Engine(Error),
    NotAttached,
    CutOff,
}

impl Problem {
    fn describe(self, engine: &Engine, what: String) -> Failure {
        match self {
            Self::Engine(error) => {
                let failure = failure(engine.address(), what, error);
                if failure.message.contains("is not running") {
                    failure.hint("start the container first")
                } else {
                    failure
                }
            }
            Self::CutOff => Failure::new(
                FailureKind::System,
                format!("cannot {what}: its output ended ten seconds ago, and it goes on"),
            ),
            Self::NotAttached => {
                Failure::new(FailureKind::System, format!("cannot {what}: the engine kept its output"))
            }
        }
    }
}

async fn read(
    mut output: Output,
    refusal: &mut Option<String>,
    on_chunk: &mut (dyn FnMut(Chunk) + Send),
) -> Result<(), Error> {
    while let Some(item) = output.next().await {
        let chunk = chunk(item?);
        if chunk.bytes.starts_with(NOT_STARTED) {
            *refusal = Some(String::from_utf8_lossy(&chunk.bytes).into_owned());
        } else {
            on_chunk(chunk);
        }
    }
    Ok(())
}

/// Feeds the input and says where it ends; then only the output decides. A command may end without reading it all.
async fn write(mut sink: Pin<Box<dyn AsyncWrite + Send>>, input: Option<Input<'_>>) {
    feed(&mut sink, input).await;
    std::future::pending::<()>().await;
}

/// Feeds the input and says where it ends. `false` when there was none, or not all of it was taken.
pub(super) async fn feed(sink: &mut Pin<Box<dyn AsyncWrite + Send>>, input: Option<Input<'_>>) -> bool {
    let Some(mut input) = input else { return false };
    let copied = tokio::io::copy(&mut input, sink).await;
    copied.is_ok() && sink.flush().await.is_ok() && sink.shutdown().await.is_ok()
}

async fn still_running(api: &Docker, id: &str) -> bool {
    for _ in 0..20 {
        match api.inspect_exec(id).await {
            Ok(exec) if exec.running == Some(true) => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => return false,
        }
    }
    true
}
