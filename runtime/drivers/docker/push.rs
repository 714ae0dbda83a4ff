//! Sending images to registries.

use bollard::query_parameters::PushImageOptionsBuilder;

use super::errors::{failure, refusal};
use super::pull::explain;
use super::{Engine, Login, Reference, Transfer, stream};
use crate::failure::{Failure, FailureKind};

impl Engine {
    /// Pushes one tag and returns its digest in the registry: `sha256:…`.
    pub async fn push(
        &self,
        reference: &Reference,
        login: Option<&Login>,
        on_progress: &mut (dyn FnMut(Transfer) + Send),
    ) -> Result<String, Failure> {
        let what = format!("push `{reference}`");
        let Some(tag) = reference.tag.as_deref().filter(|_| reference.digest.is_none()) else {
            return Err(Failure::new(FailureKind::Argument, format!("cannot {what}: only a tag can be pushed")));
        };
        if self.image(&reference.to_string()).await?.is_none() {
            return Err(Failure::new(FailureKind::NotFound, format!("cannot {what}: there is no such image here"))
                .hint("build it, or give it that name with `tag`"));
        }
        let explain = |failure: Failure| explain(failure, reference, login.is_some());
        // The engine demands the header even where no login is needed.
        let anonymous = Login { username: String::new(), password: String::new() };
        let credentials = login.unwrap_or(&anonymous).credentials(&reference.registry);
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let api = self.patient(stream::IDLE).await?;
        let mut answers = std::pin::pin!(api.push_image(&reference.name(), Some(options), Some(credentials)));
        let mut digest = None;
        while let Some(item) = stream::next(&mut answers, stream::IDLE, format!("pushing `{reference}`")).await? {
            let item = item.map_err(|error| explain(failure(self.address(), &what, error)))?;
            if let Some(problem) = item.error_detail.and_then(|detail| detail.message) {
                return Err(explain(refusal(&what, None, &problem)));
            }
            let Some(status) = item.status else { continue };
            if let Some(at) = status.find("digest: sha256:") {
                digest = status[at + "digest: ".len()..].split_whitespace().next().map(str::to_owned);
            }
            on_progress(Transfer::new(None, status, item.progress_detail));
        }
        digest.ok_or_else(|| {
            Failure::new(FailureKind::System, format!("cannot {what}: the registry named no digest for it"))
        })
    }
}
