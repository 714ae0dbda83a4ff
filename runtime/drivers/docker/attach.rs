//! Running a container to its end, with its input and its output.

use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::StreamExt;

use super::errors::failure;
use super::exec::{Input, feed};
use super::lines::Lines;
use super::logs::chunk;
use super::{Engine, OutputStream};
use crate::failure::Failure;

impl Engine {
    /// Starts a container that was just created, feeds it, hands on what it prints line by line, and returns its exit
    /// code. For input it must have been created with `stdin_open` and `stdin_once`; `on_fed` is told when the engine has
    /// all of it.
    ///
    /// Dropping the future leaves the container running: whoever made it removes it.
    pub async fn start_attached(
        &self,
        container: &str,
        input: Option<Input<'_>>,
        on_fed: &mut (dyn FnMut() -> Result<(), Failure> + Send),
        on_line: &mut (dyn FnMut(OutputStream, &str) + Send),
    ) -> Result<i64, Failure> {
        let what = || format!("attach to container `{container}`");
        // The engine listens to the container before it answers, so nothing is lost. What is in its log would come a second time
        // where the container prints before the engine has looked into that.
        let options = AttachContainerOptionsBuilder::default()
            .stdin(input.is_some())
            .stdout(true)
            .stderr(true)
            .stream(true)
            .build();
        let attached = self.api().await?.attach_container(container, Some(options)).await;
        let attached = attached.map_err(|error| failure(self.address(), what(), error))?;
        let (mut output, mut sink) = (attached.output, attached.input);
        self.start(container).await?;
        let mut lines = Lines::default();
        let read = async {
            while let Some(item) = output.next().await {
                lines.push(&chunk(item?), on_line);
            }
            Ok(())
        };
        let feeding = async {
            if feed(&mut sink, input).await {
                on_fed()?;
            }
            // Only the output decides about the end: a command may not read all of its input.
            std::future::pending::<Result<(), Failure>>().await
        };
        tokio::select! {
            result = read => result.map_err(|error| failure(self.address(), what(), error)),
            refused = feeding => refused,
        }?;
        lines.finish(on_line);
        self.wait(container).await
    }
}
