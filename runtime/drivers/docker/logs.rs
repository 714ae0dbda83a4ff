//! What a container printed.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::{Stream, StreamExt};

use super::errors::failure;
use super::{Chunk, Engine, Lines, OutputStream, stream};
use crate::failure::Failure;

/// Which part of a container's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRequest {
    /// At most so many of the last lines.
    pub tail: Option<usize>,
    /// Only from then on, in seconds since 1970.
    pub since: Option<i64>,
    /// Each line with its time in front.
    pub timestamps: bool,
}

impl Engine {
    /// The log so far, line by line in order.
    pub async fn logs(&self, container: &str, request: &LogRequest) -> Result<Vec<(OutputStream, String)>, Failure> {
        let mut chunks = std::pin::pin!(self.log_stream(container, request, false).await?);
        let mut lines = Lines::default();
        let mut all = Vec::new();
        while let Some(chunk) =
            stream::next(&mut chunks, stream::IDLE, format!("reading the log of `{container}`")).await?
        {
            lines.push(&chunk?, &mut |stream, line| all.push((stream, line.to_owned())));
        }
        lines.finish(&mut |stream, line| all.push((stream, line.to_owned())));
        Ok(all)
    }

    /// The last lines of the log in one text, for evidence; empty when it cannot be read.
    pub async fn last_lines(&self, container: &str, count: usize) -> String {
        let request = LogRequest { tail: Some(count), ..LogRequest::default() };
        let lines = self.logs(container, &request).await.unwrap_or_default();
        lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    /// The log as it grows, until the container's process ends. Silence is no failure here.
    pub async fn follow(
        &self,
        container: &str,
        request: &LogRequest,
    ) -> Result<impl Stream<Item = Result<Chunk, Failure>> + use<>, Failure> {
        self.log_stream(container, request, true).await
    }

    async fn log_stream(
        &self,
        container: &str,
        request: &LogRequest,
        follow: bool,
    ) -> Result<impl Stream<Item = Result<Chunk, Failure>> + use<>, Failure> {
        let mut options =
            LogsOptionsBuilder::default().stdout(true).stderr(true).follow(follow).timestamps(request.timestamps);
        if let Some(tail) = request.tail {
            options = options.tail(&tail.to_string());
        }
        if let Some(since) = request.since {
            options = options.since(i32::try_from(since).unwrap_or(i32::MAX));
        }
        let stream = self.api().await?.logs(container, Some(options.build()));
        let (address, name) = (self.address().to_owned(), container.to_owned());
        Ok(stream.map(move |item| {
            item.map(chunk).map_err(|error| failure(&address, format!("read the log of container `{name}`"), error))
        }))
    }
}

pub(super) fn chunk(output: LogOutput) -> Chunk {
    let stream = match output {
        LogOutput::StdErr { .. } => OutputStream::Stderr,
        LogOutput::StdOut { .. } | LogOutput::StdIn { .. } | LogOutput::Console { .. } => OutputStream::Stdout,
    };
    Chunk { stream, bytes: output.into_bytes() }
}
