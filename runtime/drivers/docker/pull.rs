//! Fetching images from registries.

use bollard::auth::DockerCredentials;
use bollard::models::ProgressDetail;
use bollard::query_parameters::CreateImageOptionsBuilder;

use super::errors::{failure, refusal};
use super::{Engine, Image, Reference, stream};
use crate::failure::{Failure, FailureKind};

/// A registry's user and password (or token). Sent with one call, stored nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The password or token.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Login {
    pub(super) fn credentials(&self, registry: &str) -> DockerCredentials {
        let server = if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry };
        DockerCredentials {
            username: Some(self.username.clone()),
            password: Some(self.password.clone()),
            serveraddress: Some(server.to_owned()),
            ..DockerCredentials::default()
        }
    }
}

/// How far a pull or a push is, for one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// The layer's short id; empty for the image as a whole.
    pub layer: String,
    /// In the engine's words: `Downloading`, `Pull complete`.
    pub doing: String,
    /// Bytes so far.
    pub current: Option<u64>,
    /// Bytes in all.
    pub total: Option<u64>,
}

impl Transfer {
    pub(super) fn new(layer: Option<String>, doing: String, detail: Option<ProgressDetail>) -> Self {
        let positive = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        let detail = detail.unwrap_or_default();
        Self {
            layer: layer.unwrap_or_default(),
            doing,
            current: positive(detail.current),
            total: positive(detail.total).filter(|total| *total > 0),
        }
    }
}

impl Engine {
    /// The digest a tag has in its registry right now: `sha256:…`. Nothing is pulled.
    pub async fn registry_digest(&self, reference: &Reference, login: Option<&Login>) -> Result<String, Failure> {
        let what = format!("look up `{reference}`");
        let credentials = login.map(|login| login.credentials(&reference.registry));
        let answer = self.api().await?.inspect_registry_image(&reference.to_string(), credentials).await;
        let answer =
            answer.map_err(|error| explain(failure(self.address(), &what, error), reference, login.is_some()))?;
        answer.descriptor.digest.ok_or_else(|| {
            Failure::new(FailureKind::System, format!("cannot {what}: the registry named no digest for it"))
        })
    }

    /// Pulls one image and returns it. What the engine has already is not transferred again.
    pub async fn pull(
        &self,
        reference: &Reference,
        platform: Option<&str>,
        login: Option<&Login>,
        on_progress: &mut (dyn FnMut(Transfer) + Send),
    ) -> Result<Image, Failure> {
        let what = format!("pull `{reference}`");
        let explain = |failure: Failure| explain(failure, reference, login.is_some());
        let mut options = CreateImageOptionsBuilder::default().from_image(&reference.name()).tag(reference.version());
        if let Some(platform) = platform {
            options = options.platform(platform);
        }
        let credentials = login.map(|login| login.credentials(&reference.registry));
        let api = self.patient(stream::IDLE).await?;
        let mut answers = std::pin::pin!(api.create_image(Some(options.build()), None, credentials));
        while let Some(item) = stream::next(&mut answers, stream::IDLE, format!("pulling `{reference}`")).await? {
            let item = item.map_err(|error| explain(failure(self.address(), &what, error)))?;
            if let Some(problem) = item.error_detail.and_then(|detail| detail.message) {
                return Err(explain(refusal(&what, None, &problem)));
            }
            if let Some(status) = item.status {
                on_progress(Transfer::new(item.id, status, item.progress_detail));
            }
        }
        self.image(&reference.to_string()).await?.ok_or_else(|| {
            Failure::new(FailureKind::System, format!("cannot {what}: the engine said it did, but does not have it"))
        })
    }
}

/// A registry's words are about its own affairs: says what they mean for the one who asked.
pub(super) fn explain(failure: Failure, reference: &Reference, with_login: bool) -> Failure {
    let registry = &reference.registry;
    match failure.kind {
        FailureKind::Unauthorized if with_login => Failure { hints: Vec::new(), ..failure }
            .hint(format!("`{registry}` refused this user name and password, or the user may not do this")),
        FailureKind::Unauthorized => Failure { hints: Vec::new(), ..failure }.hint(format!(
            "`{registry}` wants a login: pass `login: #{{ username: …, password: secret(…) }}`, or add [registry.\"{registry}\"] to runbook.toml"
        )),
        FailureKind::NotFound => failure.hint(format!(
            "is there a `{}` in `{}`? A registry may also say so when a login is lacking",
            reference.version(),
            reference.name()
        )),
        FailureKind::Unreachable if !failure.message.starts_with("no Docker engine") => {
            failure.hint(format!("the engine could not reach the registry `{registry}`: is it up, and is its name right?"))
        }
        _ => failure,
    }
}
