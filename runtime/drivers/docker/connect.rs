use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use tokio::sync::OnceCell;

use super::errors::{failure, not_reached, unreachable};
use super::remote::{self, Way};
use crate::drivers::ssh::{Hosts, Target};
use crate::failure::{Failure, FailureKind};

/// How long the engine may take to begin an answer, in seconds; what may take longer sets its own limit.
const ANSWER_SECONDS: u64 = 60;
/// How long a first contact may take before the engine counts as not answering.
const CONTACT: Duration = Duration::from_secs(5);
/// How the address of an engine begins that is reached over SSH.
pub const OVER_SSH: &str = "ssh://";
/// How long a first contact with the engine of another host may take, connecting to it included.
const REMOTE_CONTACT: Duration = Duration::from_secs(75);
/// The oldest API spoken: engine 19.03, from 2019. Older ones lack labels and options that everything here relies on.
const OLDEST: Version = Version(1, 40);

/// An API version, as in `1.41`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub u32, pub u32);

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A Docker engine. Connected by the first call that needs it; a failed attempt is made again by the next.
pub struct Engine {
    client: Docker,
    address: String,
    /// How it is reached that is on another host.
    way: Option<Way>,
    connected: OnceCell<(Docker, Version)>,
}

impl Engine {
    /// The engine at `DOCKER_HOST`, else at the local socket.
    pub fn local() -> Result<Self, Failure> {
        let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        Self::at(host.as_deref().unwrap_or("unix:///var/run/docker.sock"))
    }

    /// The engine at `unix:///path/to/socket` or `tcp://host:port`; one of another host is [`over`](Self::over) SSH.
    pub fn at(address: &str) -> Result<Self, Failure> {
        let client = if let Some(path) = address.strip_prefix("unix://") {
            // bollard refuses a socket that does not exist yet; looking first keeps the message ours.
            if !std::path::Path::new(path).exists() {
                return Err(unreachable(address, "there is no such socket"));
            }
            Docker::connect_with_unix(path, ANSWER_SECONDS, API_DEFAULT_VERSION)
        } else if address.starts_with("tcp://") || address.starts_with("http://") {
            Docker::connect_with_http(address, ANSWER_SECONDS, API_DEFAULT_VERSION)
        } else {
            return Err(Failure::new(FailureKind::Argument, format!("`{address}` is not the address of an engine"))
                .hint("write unix:///var/run/docker.sock, tcp://host:2375 or ssh://host"));
        };
        let client = client.map_err(|error| failure(address, "reach the Docker engine", error))?;
        Ok(Self { client, address: address.to_owned(), way: None, connected: OnceCell::new() })
    }

    /// The engine of a host, whose socket travels through the SSH session.
    pub fn over(hosts: Arc<Hosts>, target: Target) -> Result<Self, Failure> {
        let address = format!("{OVER_SSH}{}", target.name);
        let way = Way::new(hosts, target);
        let client = remote::client(way.clone(), ANSWER_SECONDS);
        let client = client.map_err(|error| failure(&address, "reach the Docker engine", error))?;
        Ok(Self { client, address, way: Some(way), connected: OnceCell::new() })
    }

    /// Where it is: `unix:///var/run/docker.sock`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The host it is on, where it is reached over SSH.
    pub fn host(&self) -> Option<&Target> {
        self.way.as_ref().map(Way::target)
    }

    /// The API version spoken with this engine, as in `1.41`.
    pub async fn api_version(&self) -> Result<String, Failure> {
        Ok(self.connection().await?.1.to_string())
    }

    /// May the containers' processes be visible in this machine's `/proc`?
    pub(super) fn may_be_this_machine(&self) -> bool {
        self.address.starts_with("unix://")
    }

    /// The client, with an answer expected within a minute.
    pub(super) async fn api(&self) -> Result<&Docker, Failure> {
        Ok(&self.connection().await?.0)
    }

    /// The client for a call whose answer may take long to begin.
    pub(super) async fn patient(&self, time: Duration) -> Result<Docker, Failure> {
        Ok(self.api().await?.clone().with_timeout(time))
    }

    async fn connection(&self) -> Result<&(Docker, Version), Failure> {
        self.connected.get_or_try_init(|| self.negotiate()).await
    }

    /// Agrees on the newest version both sides speak, and says it in every path: bollard leaves it out of its requests
    /// (bollard#736), which engines answer in the meaning of *their* newest version.
    async fn negotiate(&self) -> Result<(Docker, Version), Failure> {
        let patience = if self.way.is_some() { REMOTE_CONTACT } else { CONTACT };
        let newest = tokio::time::timeout(patience, self.newest()).await;
        let (newest, engine) = newest.map_err(|_| unreachable(&self.address, "it does not answer"))??;
        let parsed = newest.as_deref().and_then(Version::parse);
        let newest = parsed.ok_or_else(|| unreachable(&self.address, "it names no API version"))?;
        if newest < OLDEST {
            let engine = engine.map_or_else(String::new, |engine| format!(" {engine}"));
            return Err(Failure::new(
                FailureKind::Unreachable,
                format!(
                    "the Docker engine{engine} at `{}` speaks API {newest}, at least {OLDEST} is needed",
                    self.address
                ),
            )
            .hint("update it: API 1.40 came with Docker 19.03 in 2019"));
        }
        let ours = self.client.client_version();
        let ours = Version(narrow(ours.major_version), narrow(ours.minor_version));
        let version = newest.min(ours);
        let client = self.client.clone().with_request_modifier(move |request| prepare(request, version));
        Ok((client, version))
    }

    /// The newest version of its API that the engine speaks, and its own. One on another host said the former when the
    /// way to it was found.
    async fn newest(&self) -> Result<(Option<String>, Option<String>), Failure> {
        if let Some(way) = &self.way {
            let api = way.api().await.map_err(|failure| not_reached(&self.address, &failure))?;
            return Ok((api.map(str::to_owned), None));
        }
        let answer = self.client.version().await;
        let answer = answer.map_err(|error| failure(&self.address, "reach the Docker engine", error))?;
        Ok((answer.api_version, answer.version))
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Puts the version before the path, and the registry login into the alphabet the engine decodes.
fn prepare(mut request: BollardRequest, version: Version) -> BollardRequest {
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |part| part.as_str()));
    if let Ok(prefixed) = format!("{scheme}://{authority}/v{version}{path}").parse() {
        *request.uri_mut() = prefixed;
    }
    // The engine decodes these with the URL-safe alphabet, bollard encodes them with the other one: a login whose
    // encoding contains `+` or `/` would arrive as no login at all.
    for name in ["x-registry-auth", "x-registry-config"] {
        if let Some(value) = request.headers_mut().get_mut(name)
            && let Ok(text) = value.to_str()
            && let Ok(safe) = text.replace('+', "-").replace('/', "_").parse()
        {
            *value = safe;
        }
    }
    request
}
