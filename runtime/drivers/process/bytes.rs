use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::group::Group;
use super::output::Output;
use super::{Command, End, Processes, start};
use crate::failure::{Failure, FailureKind};

/// How long the output may stay silent and open after the program itself has ended.
const HELD: Duration = Duration::from_secs(10);

impl Processes {
    /// Runs a program whose input and output are data, to its end, and hands the output on as it comes; lines are what it
    /// writes to standard error. A program that ends with a code or a signal is not a failure here; output that cannot be read to its
    /// end is. Dropping the future ends the whole group.
    pub async fn run_bytes(
        &self,
        command: &Command,
        input: Option<Pin<Box<dyn AsyncRead + Send + '_>>>,
        mut on_bytes: impl FnMut(&[u8]),
        mut on_line: impl FnMut(&str),
    ) -> Result<End, Failure> {
        // A pipe for the input is made where there is one.
        let stdin = input.is_some().then(Vec::new);
        let mut child = start::start(&Command { stdin, ..command.clone() })?;
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut group = Group::new(child, self);
        let line = command.line();
        let Some(mut data) = out else {
            return Err(Failure::new(FailureKind::System, format!("`{line}` has no output to be read")));
        };
        let mut stderr = Output::new(err, 0);
        let (mut buffer, mut is_open, mut ended) = (vec![0; 64 << 10], true, None);
        let mut deadline = Instant::now();
        // A program that ends without reading its input closes the pipe: its exit code tells whether that was right.
        let feed = async {
            if let (Some(mut pipe), Some(mut input)) = (stdin, input) {
                let mut piece = vec![0; 64 << 10];
                loop {
                    // Input that breaks off must not look like its end.
                    let length = input.read(&mut piece).await?;
                    if length == 0 || pipe.write_all(&piece[..length]).await.is_err() {
                        break;
                    }
                }
                let _ = pipe.shutdown().await;
            }
            Ok::<(), std::io::Error>(())
        };
        tokio::pin!(feed);
        let mut is_fed = false;
        let end = loop {
            if let (Some(end), false) = (ended, is_open) {
                break end;
            }
            tokio::select! {
                biased;
                end = group.ended(), if ended.is_none() => {
                    ended = Some(end?);
                    deadline = Instant::now() + HELD;
                }
                read = data.read(&mut buffer), if is_open => {
                    let length =
                        read.map_err(|error| Failure::system(format!("read the output of `{line}`"), &error))?;
                    is_open = length > 0;
                    on_bytes(&buffer[..length]);
                    deadline = Instant::now() + HELD;
                }
                fed = &mut feed, if !is_fed => {
                    fed.map_err(|error| Failure::system(format!("read what `{line}` is given"), &error))?;
                    is_fed = true;
                }
                _ = stderr.read(), if stderr.is_open() => stderr.lines(&mut on_line),
                () = tokio::time::sleep_until(deadline), if ended.is_some() => {
                    let message = format!("`{line}` ended, and something it started still holds its output");
                    return Err(Failure::new(FailureKind::System, message));
                }
            }
        };
        // Its last words: there is no more than a pipe holds.
        while stderr.is_open() && tokio::time::timeout(Duration::from_millis(200), stderr.read()).await.is_ok() {
            stderr.lines(&mut on_line);
        }
        stderr.last_line(&mut on_line);
        group.release();
        Ok(end)
    }
}
