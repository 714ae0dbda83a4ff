//! Commands in running containers.

use std::time::Duration;

use jiff::Timestamp;

use super::{noted, short_key};
use crate::drivers::docker::{Engine, ExecRequest, Finished, Left, OutputStream, Trace};
use crate::primitive::{Context, Failure, FailureKind};

/// How long an engine may take beyond the command's own time.
const ANSWER: Duration = Duration::from_secs(60);

/// A command and where it runs.
pub struct Command<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The container's name or id.
    pub container: &'a str,
    /// The command; its limit is how long it may run.
    pub request: ExecRequest,
    /// What it reads.
    pub input: Option<String>,
    /// Must its end be known when this process dies?
    pub kept: bool,
}

impl Command<'_> {
    /// The program and its arguments in one line.
    pub fn line(&self) -> String {
        self.request.command.join(" ")
    }

    /// Runs it.
    pub fn run(
        &self,
        context: &Context<'_>,
        on_line: &mut (dyn FnMut(OutputStream, &str) + Send),
    ) -> Result<Finished, Failure> {
        let what = format!("running `{}` in `{}`", self.line(), self.container);
        // The request has the limit, and needs time of its own to kill what is late.
        let limit = self.request.limit.unwrap_or_default() + ANSWER;
        if !self.kept {
            let input = self.input.clone().map(|text| Box::pin(std::io::Cursor::new(text.into_bytes())) as _);
            return context.wait(&what, limit, self.engine.exec(self.container, &self.request, input, on_line));
        }
        let name = short_key(context);
        let mut note = |trace: &Trace| context.mark(&serde_json::json!(trace));
        let input = self.input.as_deref();
        let running = self.engine.exec_kept(self.container, &self.request, input, &name, &mut note, on_line);
        context.wait(&what, limit, running)
    }

    /// Finds out what became of it after the process that ran it died; waits for it while it runs.
    pub fn left(
        &self,
        context: &Context<'_>,
        on_line: &mut (dyn FnMut(OutputStream, &str) + Send),
    ) -> Result<Left, Failure> {
        let Some(trace) = noted::<Trace>(context) else {
            // Nothing is started before it is noted; but a machine that lost its power may have lost the note.
            return Ok(if booted_since(context.run.started_at) { Left::Unknown(None) } else { Left::NotStarted });
        };
        let what = format!("waiting for the end of `{}` in `{}`", self.line(), self.container);
        let limit = self.request.limit.unwrap_or_default() + ANSWER;
        let name = short_key(context);
        context.wait(&what, limit, self.engine.exec_left(&trace, &self.request, &name, on_line))
    }

    /// How a command failed that was killed before its end.
    pub fn killed(&self) -> Failure {
        let message = format!("`{}` in container `{}` was killed before its end", self.line(), self.container);
        Failure::new(FailureKind::Exit, message).hint("its container was restarted, or its time was over")
    }

    /// How a command failed whose output is lost.
    pub fn silent(&self, code: i64) -> Failure {
        let message = format!("`{}` in container `{}` exited with code {code}", self.line(), self.container);
        Failure::new(FailureKind::Exit, message).hint("what it printed was lost when `runbook` died")
    }
}

/// Was this machine started after that moment?
fn booted_since(moment: Timestamp) -> bool {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let booted = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<i64>().ok());
    booted.is_some_and(|booted| booted > moment.as_second())
}

/// Removes what a command left behind to be known by.
pub fn forget(context: &Context<'_>, engine: &Engine, container: &str, user: Option<&str>) {
    let name = short_key(context);
    let work = async { tokio::time::timeout(ANSWER, engine.exec_forget(container, user, &name)).await };
    // The container may be gone, or have no shell: then there is nothing.
    let _ = context.drivers.block_on(work);
}
