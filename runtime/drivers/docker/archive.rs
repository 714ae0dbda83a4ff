//! Folders of containers as tar archives, as they are.

use bollard::query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::sync::mpsc;

use super::errors::failure;
use super::{Engine, stream};
use crate::failure::Failure;

impl Engine {
    /// Hands on the archive of a file or folder of a container, running or not, for as long as somebody takes it. Paths in it
    /// begin with the name of the file or folder.
    pub async fn take_out(
        &self,
        container: &str,
        path: &str,
        on_piece: &mut (dyn FnMut(Bytes) -> bool + Send),
    ) -> Result<(), Failure> {
        let what = format!("read `{path}` of container `{container}`");
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let api = self.api().await?;
        let mut answers = std::pin::pin!(api.download_from_container(container, Some(options)));
        while let Some(piece) = stream::next(&mut answers, stream::IDLE, format!("reading `{path}`")).await? {
            if !on_piece(piece.map_err(|error| failure(self.address(), &what, error))?) {
                break;
            }
        }
        Ok(())
    }

    /// Unpacks an archive into a folder of a container, running or not. Owners and modes are those of the archive.
    pub async fn put_in(
        &self,
        container: &str,
        folder: &str,
        pieces: mpsc::Receiver<std::io::Result<Bytes>>,
    ) -> Result<(), Failure> {
        let what = format!("write `{folder}` of container `{container}`");
        let body = unfold(pieces, async |mut pieces| pieces.recv().await.map(|piece| (piece, pieces)));
        let options = UploadToContainerOptionsBuilder::default().path(folder).build();
        let api = self.patient(stream::IDLE * 60).await?;
        let sent = api.upload_to_container(container, Some(options), bollard::body_try_stream(Box::pin(body))).await;
        sent.map_err(|error| failure(self.address(), &what, error))
    }
}
