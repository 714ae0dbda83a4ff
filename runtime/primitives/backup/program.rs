use std::sync::OnceLock;

use serde_json::Value;
use tokio::io::AsyncRead;
use tokio_util::sync::CancellationToken;

use crate::drivers::backup::Pump;
use crate::drivers::docker::{ExecRequest, OutputStream};
use crate::drivers::process::{Command, LastLines, Stream};
use crate::primitive::{Context, Failure, FailureKind, LogStream, Span};
use crate::primitives::on_engine::shown;

/// A command of this machine or in a container, whose output or input is data.
pub struct Program {
    command: Vec<String>,
    container: Option<String>,
    engine: Option<String>,
    user: Option<String>,
}

impl Program {
    /// Checks that there is something to run.
    pub fn new(
        command: Vec<String>,
        container: Option<String>,
        engine: Option<String>,
        user: Option<String>,
    ) -> Result<Self, Failure> {
        let wrong = |message: &str| Err(Failure::new(FailureKind::Argument, message.to_owned()));
        if command.first().is_none_or(String::is_empty) {
            return wrong("`command` must name a program");
        }
        if container.is_none() && (engine.is_some() || user.is_some()) {
            return wrong("`engine` and `user` are for commands in a container");
        }
        Ok(Self { command, container, engine, user })
    }

    /// In words: `` `pg_dump -Fc shop` in container `db` ``.
    pub fn shown(&self) -> String {
        let line = shown(&self.command);
        self.container.as_ref().map_or_else(|| line.clone(), |container| format!("{line} in container `{container}`"))
    }

    /// Runs it and hands on what it prints; only its exit with code 0 makes an end of that. It is killed once it is over.
    /// `fault` is told when it fails.
    pub fn pump(
        &self,
        context: &Context<'_>,
        pump: Pump,
        fault: &OnceLock<Failure>,
        over: &CancellationToken,
        within: Span,
    ) {
        let mut last = LastLines::default();
        let mut on_line = |line: &str| {
            context.log(LogStream::Stderr, line);
            last.push(Stream::Stderr, line);
        };
        let mut on_bytes = |bytes: &[u8]| {
            if !pump.push(bytes) {
                over.cancel();
            }
        };
        let running = async {
            tokio::select! {
                biased;
                () = over.cancelled() => {
                    Err(Failure::new(FailureKind::Cancelled, "stopped because nobody reads it any more"))
                }
                code = self.run(context, None, &mut on_bytes, &mut on_line) => code,
            }
        };
        let ended = context.wait(&format!("saving what {} prints", self.shown()), within.0, running);
        let failure = match ended {
            Ok(0) => return pump.end(Ok(Value::Null)),
            Ok(code) => last.explain(self.exited(code)),
            Err(failure) => last.explain(failure),
        };
        if !over.is_cancelled() {
            let _ = fault.set(failure.clone());
        }
        pump.end(Err(failure));
    }

    /// Runs it with an input, and fails unless it ends with code 0.
    pub fn feed(
        &self,
        context: &Context<'_>,
        input: impl AsyncRead + Send + Unpin + 'static,
        within: Span,
    ) -> Result<(), Failure> {
        let mut last = LastLines::default();
        let mut on_line = |line: &str| {
            context.log(LogStream::Stderr, line);
            last.push(Stream::Stderr, line);
        };
        let mut on_bytes = |_: &[u8]| {};
        let running = self.run(context, Some(Box::pin(input)), &mut on_bytes, &mut on_line);
        match context.wait(&format!("restoring with {}", self.shown()), within.0, running) {
            Ok(0) => Ok(()),
            Ok(code) => Err(last.explain(self.exited(code))),
            Err(failure) => Err(last.explain(failure)),
        }
    }

    fn exited(&self, code: i64) -> Failure {
        Failure::new(FailureKind::Exit, format!("{} exited with code {code}", self.shown()))
    }

    async fn run(
        &self,
        context: &Context<'_>,
        input: Option<crate::drivers::docker::Input<'_>>,
        on_bytes: &mut (dyn FnMut(&[u8]) + Send),
        on_line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<i64, Failure> {
        let Some(container) = &self.container else {
            let mut command = Command::new(self.command.iter().cloned());
            command.cwd = Some(context.project.root().to_owned());
            let processes = context.drivers.processes();
            let end = processes.run_bytes(&command, input, &mut *on_bytes, &mut *on_line).await?;
            return Ok(end.code().into());
        };
        let engine = context.drivers.docker(self.engine.as_deref())?;
        let request = ExecRequest { command: self.command.clone(), user: self.user.clone(), ..ExecRequest::default() };
        let mut lines = Lines::default();
        let finished = engine
            .exec_bytes(container, &request, input, &mut |chunk| match chunk.stream {
                OutputStream::Stdout => on_bytes(&chunk.bytes),
                OutputStream::Stderr => lines.push(&chunk.bytes, on_line),
            })
            .await?;
        if let Some(why) = finished.not_started {
            return Err(Failure::new(FailureKind::NotFound, format!("cannot run {}: {why}", self.shown())));
        }
        Ok(finished.exit_code)
    }
}

/// Pieces of text put together to lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8], on_line: &mut (dyn FnMut(&str) + Send)) {
        self.0.extend_from_slice(bytes);
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            on_line(String::from_utf8_lossy(&line).trim_end());
        }
    }
}
