//! Commands in containers whose end and output stay known when whoever started them dies.
//!
//! Where the container has a shell and a writable `/tmp`, the command is run by a script that leaves its process number,
//! its output and at last its exit code in a folder of a given name. Making that folder is the one moment at which the
//! command begins: where it is there already, the script does not run the command a second time. Elsewhere the command
//! is run as it is, and only the engine knows for some minutes what became of it.

use std::io::Cursor;
use std::time::Duration;

use bollard::errors::Error;
use serde::{Deserialize, Serialize};

use super::errors::failure;
use super::{Chunk, Container, Engine, ExecRequest, Finished, Lines, OutputStream};
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// What a later process needs to find a command again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The engine's name for the command.
    pub exec: String,
    /// The id of the container.
    pub container: String,
    /// When the container had started.
    pub started: String,
    /// Does the command leave its end in a folder of the container?
    pub kept: bool,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// It never began.
    NotStarted,
    /// It ended, and this is everything it printed.
    Ended(Finished),
    /// It was ended before it was done, and this is what it had printed.
    Killed,
    /// Nobody can tell, or what it printed is lost: then this is its exit code.
    Unknown(Option<i64>),
}

/// Arguments: the folder's name, the length of the input or `-`, then the command.
///
/// The output goes through `tee`, which something that the command left running may keep from ending: after a second it
/// is not waited for any longer.
const WRAPPER: &str = r#"d=/tmp/.runbook-$1 k=$1 n=$2; shift 2
no() { echo "runbook-exec $k $1" >&2; exit 126; }
found() {
  case $1 in */*) [ -f "$1" ] && [ -x "$1" ]; return;; esac
  IFS=:; for p in $PATH; do [ -f "$p/$1" ] && [ -x "$p/$1" ] && return 0; done; return 1
}
(found "$1") || no direct
for t in cat kill mkfifo mv rm sleep tee wc; do command -v $t >/dev/null || no direct; done
(umask 077; mkdir "$d") 2>/dev/null || { [ -d "$d" ] && no begun; no direct; }
i=/dev/null
if [ "$n" != - ]; then
  i=$d/in; cat >"$i"
  [ "$(wc -c <"$i")" -eq "$n" ] || { rm -rf "$d"; no cut; }
fi
mkfifo "$d/o" "$d/e" && echo $$ >"$d/pid" || { rm -rf "$d"; no direct; }
tee "$d/out" <"$d/o" & a=$!
tee "$d/err" <"$d/e" >&2 & b=$!
(exec "$@") <"$i" >"$d/o" 2>"$d/e"; c=$?
(trap 'kill $!; wait $!; exit' TERM; sleep 1 & wait $!; kill $a $b) >/dev/null 2>&1 & w=$!
wait $a; wait $b; { kill $w; wait $w; } 2>/dev/null
echo $c >"$d/code" && mv "$d/code" "$d/end"
exit $c"#;

/// Arguments: the folder's name, and whether the container is still the process tree the command began in. Prints what
/// is known in a first line, then what the command printed.
const READER: &str = r#"d=/tmp/.runbook-$1 n=0
[ -d "$d" ] || { echo "absent"; exit; }
while [ ! -f "$d/end" ]; do
  if [ -f "$d/pid" ]; then
    [ "$2" = same ] && kill -0 "$(cat "$d/pid")" 2>/dev/null || break
  else
    n=$((n + 1)); [ "$2" != same ] || [ $n -gt 15 ] && { rm -rf "$d"; echo "absent"; exit; }
  fi
  sleep 0.2 2>/dev/null || sleep 1
done
if [ -f "$d/end" ]; then echo "ended $(cat "$d/end")"; else echo "killed"; fi
cat "$d/out" 2>/dev/null; cat "$d/err" >&2 2>/dev/null"#;

/// How long removing a folder may take.
const FORGETTING: Duration = Duration::from_secs(10);

impl Engine {
    /// Runs a command as [`Engine::exec`] does, so that [`Engine::exec_left`] can tell its end later. `name` is known to
    /// nobody else; `note` gets what that needs, before anything happens.
    pub async fn exec_kept(
        &self,
        container: &str,
        request: &ExecRequest,
        input: Option<&str>,
        name: &str,
        note: &mut (dyn FnMut(&Trace) -> Result<(), Failure> + Send),
        on_line: &mut (dyn FnMut(OutputStream, &str) + Send),
    ) -> Result<Finished, Failure> {
        let found = self.inspect(container).await?;
        let mut trace = Trace { container: found.id.clone(), started: found.started, ..Trace::default() };
        let request = ExecRequest { mark: name.to_owned(), ..request.clone() };
        let length = input.map_or_else(|| "-".to_owned(), |text| text.len().to_string());
        let wrapped = ["/bin/sh", "-c", WRAPPER, "sh", name, &length].map(str::to_owned);
        let wrapped = ExecRequest { command: [wrapped.to_vec(), request.command.clone()].concat(), ..request.clone() };
        let env = found.env.iter().chain(&request.env);
        let passes = env.filter_map(|variable| variable.split_once('=')).all(|(name, _)| passes_a_shell(name));
        for (request, kept) in [(&wrapped, true), (&request, false)].into_iter().skip(usize::from(!passes)) {
            let mut created = self.create_exec(&found.id, request, input.is_some()).await?;
            created.what =
                format!("`{}` in container `{container}`", request.command[if kept { 6 } else { 0 }..].join(" "));
            (trace.exec, trace.kept) = (created.id.clone(), kept);
            note(&trace)?;
            let mut refusal = None;
            let refuses = format!("runbook-exec {name} ");
            let mut lines = Lines::default();
            let reader = input.map(|text| Box::pin(Cursor::new(text.as_bytes())) as _);
            let mut on_chunk = |chunk: Chunk| match chunk.bytes.strip_prefix(refuses.as_bytes()) {
                Some(word) if kept => refusal = Some(String::from_utf8_lossy(word).trim().to_owned()),
                _ => lines.push(&chunk, on_line),
            };
            let finished = self.start_exec(created, reader, &mut on_chunk).await;
            lines.finish(on_line);
            let finished = finished?;
            match refusal.as_deref() {
                Some("begun") => return self.exec_again(container, &trace, request, name, on_line).await,
                Some("cut") => {
                    let message = format!("the input of `{}` did not arrive whole", request.command.join(" "));
                    return Err(Failure::new(FailureKind::System, message).hint("it was not run"));
                }
                // Neither is there a shell to run the script, nor has anything happened.
                None if kept && finished.not_started.is_some() => {}
                None => return Ok(finished),
                Some(_) => {}
            }
        }
        Err(Failure::new(FailureKind::System, format!("cannot run anything in container `{container}`")))
    }

    /// An earlier process began it after all.
    async fn exec_again(
        &self,
        container: &str,
        trace: &Trace,
        request: &ExecRequest,
        name: &str,
        on_line: &mut (dyn FnMut(OutputStream, &str) + Send),
    ) -> Result<Finished, Failure> {
        match self.exec_left(trace, request, name, on_line).await? {
            Left::Ended(finished) => Ok(finished),
            _ => Err(Failure::new(
                FailureKind::System,
                format!("`{}` began before in container `{container}`, and was killed", request.command.join(" ")),
            )),
        }
    }

    /// What became of a command that [`Engine::exec_kept`] began, by a process that died since. One that still runs is
    /// waited for as long as the request allows, and then killed.
    pub async fn exec_left(
        &self,
        trace: &Trace,
        request: &ExecRequest,
        name: &str,
        on_line: &mut (dyn FnMut(OutputStream, &str) + Send),
    ) -> Result<Left, Failure> {
        let limit = request.limit.unwrap_or(Duration::MAX);
        let left = async {
            match self.find(&trace.container).await? {
                Some(container) if trace.kept && container.is_running() => {
                    let same = container.started == trace.started;
                    let left = self.read_left(trace, request.user.as_deref(), name, same, on_line).await?;
                    // What is in memory only is gone with the first restart.
                    let lost = left == Left::NotStarted && !same && is_volatile(&container);
                    Ok(if lost { Left::Unknown(None) } else { left })
                }
                Some(_) if !trace.kept => self.bare_left(&trace.exec).await,
                _ => Ok(Left::Unknown(None)),
            }
        };
        if let Ok(left) = tokio::time::timeout(limit, left).await {
            return left;
        }
        let line = request.command.join(" ");
        let request = ExecRequest { mark: name.to_owned(), ..request.clone() };
        self.create_exec(&trace.container, &request, false).await?.leash.pull().await;
        Err(Failure::new(FailureKind::Timeout, format!("`{line}` did not end within {}", Span(limit)))
            .hint("it was killed, with everything it started"))
    }

    /// Removes what a command left for [`Engine::exec_left`].
    pub async fn exec_forget(&self, container: &str, user: Option<&str>, name: &str) -> Result<(), Failure> {
        let request = ExecRequest {
            command: ["rm", "-rf", &format!("/tmp/.runbook-{name}")].map(str::to_owned).to_vec(),
            user: user.map(str::to_owned),
            limit: Some(FORGETTING),
            ..ExecRequest::default()
        };
        self.exec(container, &request, None, &mut |_, _| {}).await.map(drop)
    }

    async fn read_left(
        &self,
        trace: &Trace,
        user: Option<&str>,
        name: &str,
        same: bool,
        on_line: &mut (dyn FnMut(OutputStream, &str) + Send),
    ) -> Result<Left, Failure> {
        let same = if same { "same" } else { "other" };
        let request = ExecRequest {
            command: ["/bin/sh", "-c", READER, "sh", name, same].map(str::to_owned).to_vec(),
            user: user.map(str::to_owned),
            ..ExecRequest::default()
        };
        let mut first: Option<String> = None;
        let mut keep = |stream, line: &str| {
            if stream == OutputStream::Stdout && first.is_none() {
                first = Some(line.to_owned());
            } else {
                on_line(stream, line);
            }
        };
        let read = self.exec(&trace.container, &request, None, &mut keep).await?;
        if read.not_started.is_some() {
            // Where there is no shell to read by, there was none to begin by.
            return Ok(Left::NotStarted);
        }
        let first = first.unwrap_or_default();
        Ok(match first.split_once(' ') {
            Some(("ended", code)) => {
                Left::Ended(Finished { exit_code: code.trim().parse().unwrap_or_default(), not_started: None })
            }
            _ if first == "killed" => Left::Killed,
            _ if first == "absent" => Left::NotStarted,
            _ => Left::Unknown(None),
        })
    }

    /// Of a command that left nothing only the engine knows, and only for some minutes.
    async fn bare_left(&self, exec: &str) -> Result<Left, Failure> {
        let mut waited = false;
        loop {
            let state = match self.api().await?.inspect_exec(exec).await {
                Ok(state) => state,
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(Left::Unknown(None)),
                Err(error) => return Err(failure(self.address(), "look for a command", error)),
            };
            match (state.running, state.exit_code) {
                (Some(true), _) => waited = true,
                (_, None) if !waited => return Ok(Left::NotStarted),
                (_, code) => return Ok(Left::Unknown(code)),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Shells drop variables that they could not name.
fn passes_a_shell(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Is `/tmp` lost when the container restarts?
fn is_volatile(container: &Container) -> bool {
    let tmpfs = container.raw.pointer("/HostConfig/Tmpfs").and_then(serde_json::Value::as_object);
    tmpfs.is_some_and(|paths| paths.contains_key("/tmp"))
        || container.mounts.iter().any(|mount| mount.kind == "tmpfs" && mount.target == "/tmp")
}
