use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;
use tokio::io::AsyncRead;
use tokio_util::sync::CancellationToken;

use super::cutting::cut;
use crate::drivers::backup::{Known, Pump};
use crate::drivers::docker::{ExecRequest, Finished, Input, OutputStream};
use crate::drivers::process::{Command, LastLines, Stream};
use crate::primitive::{Context, Failure, FailureKind, LogStream, Span};
use crate::primitives::on_engine::shown;

/// A command of this machine or in a container, whose output or input is data.
#[derive(Clone)]
pub struct Program {
    pub command: Vec<String>,
    pub container: Option<String>,
    pub engine: Option<String>,
    pub user: Option<String>,
    /// Variables on top of those that are there: nobody is shown them.
    pub env: BTreeMap<String, String>,
    /// What people are shown instead of the command.
    pub label: Option<String>,
}

/// What a source that prints is told: it is over, or another one failed.
#[derive(Clone, Copy)]
pub struct Pumping<'a> {
    pub fault: &'a OnceLock<Failure>,
    pub over: &'a CancellationToken,
    pub within: Span,
    /// What is known of it from the last time, where it is on another host.
    pub known: Option<&'a Known>,
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
        Ok(Self { command, container, engine, user, env: BTreeMap::new(), label: None })
    }

    /// In words: `` `pg_dump -Fc shop` in container `db` ``.
    pub fn shown(&self) -> String {
        let line = self.label.as_ref().map_or_else(|| shown(&self.command), |label| format!("`{label}`"));
        self.container.as_ref().map_or_else(|| line.clone(), |container| format!("{line} in container `{container}`"))
    }

    /// Runs it and hands on what it prints; only its exit with code 0 makes an end of that. It is killed once it is over.
    pub fn pump(&self, context: &Context<'_>, pump: Pump, pumping: Pumping<'_>) {
        let what = format!("saving what {} prints", self.shown());
        pump_from(context, pump, pumping, &what, async |pump| {
            self.print(context, pump, pumping).await?;
            Ok(Value::Null)
        });
    }

    /// Runs it until it ends well, and hands on what it prints.
    pub async fn print(&self, context: &Context<'_>, pump: &Pump, pumping: Pumping<'_>) -> Result<(), Failure> {
        let mut on_bytes = |bytes: &[u8]| {
            if !pump.push(bytes) {
                pumping.over.cancel();
            }
        };
        self.print_to(context, &mut on_bytes, Some(pumping)).await
    }

    /// Runs it until it ends well, and hands on what it prints to anybody: without having all of it travel, where it is saved and
    /// parts of it are known.
    pub async fn print_to(
        &self,
        context: &Context<'_>,
        on_bytes: &mut (dyn FnMut(&[u8]) + Send),
        pumping: Option<Pumping<'_>>,
    ) -> Result<(), Failure> {
        self.finish(context, None, on_bytes, pumping).await
    }

    /// Runs it until it ends well; what it prints is a text.
    pub async fn text(&self, context: &Context<'_>, input: Option<Input<'_>>) -> Result<String, Failure> {
        let mut text = Vec::new();
        self.finish(context, input, &mut |bytes| text.extend_from_slice(bytes), None).await?;
        String::from_utf8(text)
            .map_err(|_| Failure::new(FailureKind::Invalid, format!("what {} prints is not UTF-8", self.shown())))
    }

    async fn finish(
        &self,
        context: &Context<'_>,
        input: Option<Input<'_>>,
        on_bytes: &mut (dyn FnMut(&[u8]) + Send),
        pumping: Option<Pumping<'_>>,
    ) -> Result<(), Failure> {
        let mut last = LastLines::default();
        let mut on_line = |line: &str| {
            context.log(LogStream::Stderr, line);
            last.push(Stream::Stderr, line);
        };
        let ended = match cut(self, context, on_bytes, &mut on_line, pumping).await {
            Ok(None) => self.run(context, input, on_bytes, &mut on_line).await,
            Ok(Some(code)) => Ok(code),
            Err(failure) => Err(failure),
        };
        match ended {
            Ok(0) => Ok(()),
            Ok(code) => Err(last.explain(self.exited(code))),
            Err(failure) => Err(last.explain(failure)),
        }
    }

    /// Runs it with an input, and fails unless it ends with code 0.
    pub fn feed(
        &self,
        context: &Context<'_>,
        input: impl AsyncRead + Send + Unpin + 'static,
        within: Span,
    ) -> Result<(), Failure> {
        let mut ignored = |_: &[u8]| {};
        let work = self.finish(context, Some(Box::pin(input)), &mut ignored, None);
        context.wait(&format!("restoring with {}", self.shown()), within.0, work)
    }

    /// It ended with this code, which is no success.
    pub fn exited(&self, code: i64) -> Failure {
        Failure::new(FailureKind::Exit, format!("{} exited with code {code}", self.shown()))
    }

    /// Runs it to its end, whatever that is.
    pub async fn run(
        &self,
        context: &Context<'_>,
        input: Option<Input<'_>>,
        on_bytes: &mut (dyn FnMut(&[u8]) + Send),
        on_line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<i64, Failure> {
        let Some(container) = &self.container else {
            let mut command = Command::new(self.command.iter().cloned());
            command.cwd = Some(context.project.root().to_owned());
            command.env = self.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
            let processes = context.drivers.processes();
            let end = processes.run_bytes(&command, input, &mut *on_bytes, &mut *on_line).await?;
            return Ok(end.code().into());
        };
        let engine = context.drivers.docker(self.engine.as_deref())?;
        let request = self.request();
        let mut lines = Lines::default();
        let finished = engine
            .exec_bytes(container, &request, input, &mut |chunk| match chunk.stream {
                OutputStream::Stdout => on_bytes(&chunk.bytes),
                OutputStream::Stderr => lines.push(&chunk.bytes, on_line),
            })
            .await?;
        self.code_of(finished)
    }

    /// What the engine has it run as.
    pub fn request(&self) -> ExecRequest {
        ExecRequest {
            command: self.command.clone(),
            user: self.user.clone(),
            env: self.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            ..ExecRequest::default()
        }
    }

    /// The code with which it ended, when it was started.
    pub fn code_of(&self, finished: Finished) -> Result<i64, Failure> {
        match finished.not_started {
            Some(why) => Err(Failure::new(FailureKind::NotFound, format!("cannot run {}: {why}", self.shown()))),
            None => Ok(finished.exit_code),
        }
    }
}

/// Hands on what some work puts into a stream, and ends the stream with what that says of it.
pub fn pump_from(
    context: &Context<'_>,
    pump: Pump,
    pumping: Pumping<'_>,
    what: &str,
    work: impl AsyncFnOnce(&Pump) -> Result<Value, Failure>,
) {
    let done = supervised(context, pumping, what, work(&pump));
    pump.end(done);
}

/// Waits for what a source does. That is dropped once it is over, and its failure ends everything else.
pub fn supervised(
    context: &Context<'_>,
    pumping: Pumping<'_>,
    what: &str,
    work: impl Future<Output = Result<Value, Failure>>,
) -> Result<Value, Failure> {
    let Pumping { fault, over, within, .. } = pumping;
    let working = async {
        tokio::select! {
            biased;
            () = over.cancelled() => {
                Err(Failure::new(FailureKind::Cancelled, "stopped because nobody reads it any more"))
            }
            done = work => done,
        }
    };
    context.wait(what, within.0, working).inspect_err(|failure| {
        if !over.is_cancelled() {
            let _ = fault.set(failure.clone());
        }
    })
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
