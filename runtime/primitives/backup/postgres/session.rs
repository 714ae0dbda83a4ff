use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::Program;
use crate::drivers::process::{LastLines, Stream};
use crate::primitive::{Context, Failure, FailureKind, LogStream};

/// What stands alone in a line after each answer.
const END: &str = "-- end of the answer --";

/// A session of `psql`: what is asked in it is asked in one transaction, when it is begun.
pub struct Session {
    ask: mpsc::Sender<std::io::Result<Bytes>>,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Session {
    /// Works with a session, which ends afterwards. Whatever is refused ends it at once.
    pub async fn with<T>(
        context: &Context<'_>,
        program: Program,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (ask, questions) = mpsc::channel(4);
        let questions = unfold(questions, async |mut questions| Some((questions.recv().await?, questions)));
        let input = StreamReader::new(Box::pin(questions));
        let (answers, lines) = mpsc::unbounded_channel();
        let (mut rest, mut last) = (Vec::new(), LastLines::default());
        let mut on_bytes = |bytes: &[u8]| {
            rest.extend_from_slice(bytes);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let _ = answers.send(String::from_utf8_lossy(&line[..end]).into_owned());
            }
        };
        let mut on_line = |line: &str| {
            context.log(LogStream::Stderr, line);
            last.push(Stream::Stderr, line);
        };
        let mut session = Self { ask, lines };
        let worked = {
            let running = program.run(context, Some(Box::pin(input)), &mut on_bytes, &mut on_line);
            tokio::pin!(running);
            let worked = tokio::select! {
                biased;
                // Its answer may be there already, and the reason why it ended is the better one.
                ended = &mut running => Err(ended.map_or_else(|failure| failure, |code| program.exited(code))),
                worked = work(&mut session) => Ok(worked),
            };
            drop(session);
            if worked.is_ok() {
                let _ = tokio::time::timeout(Duration::from_secs(10), running).await;
            }
            worked
        };
        worked.unwrap_or_else(|failure| Err(last.explain(failure)))
    }

    /// The lines that come out of a statement.
    pub async fn ask(&mut self, sql: &str) -> Result<String, Failure> {
        let question = format!("{sql}\n;\n\\echo '{END}'\n");
        let ended = || Failure::new(FailureKind::System, "the session with the database ended");
        self.ask.send(Ok(question.into())).await.map_err(|_| ended())?;
        let mut text = String::new();
        loop {
            match self.lines.recv().await {
                Some(line) if line == END => return Ok(text),
                Some(line) => {
                    text.push_str(&line);
                    text.push('\n');
                }
                // Whoever started it knows why it ended, and says so.
                None => std::future::pending().await,
            }
        }
    }
}
