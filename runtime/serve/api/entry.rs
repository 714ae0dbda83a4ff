//! The way of a request: its name, its right, its rate, its body, and then whoever answers.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Request, StatusCode};
use jiff::Timestamp;

use super::answer::{self, Answer};
use super::guard::{Rates, is_meant};
use super::handlers::handle;
use super::routes::{self, Permission, Route};
use super::start::Started;
use super::{Api, Surroundings, token, webhook};
use crate::failure::{Failure, FailureKind};
use crate::journal::TokenRow;

/// How much a body may hold.
const BODY: usize = 1 << 20;

/// How long it may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Requests a minute of somebody who shows no token that counts.
const STRANGERS: u32 = 120;

/// What all requests share.
pub(super) struct State {
    pub(super) api: Api,
    pub(super) started: Started,
    /// How many follow lines at this moment.
    pub(super) followers: AtomicUsize,
    pub(super) keys: webhook::Keys,
    rates: Rates,
}

/// A request that was let through.
pub(super) struct Asked {
    pub(super) route: &'static Route,
    /// The variable part of the path.
    pub(super) part: String,
    /// What stands behind the question mark.
    pub(super) query: String,
    pub(super) body: Bytes,
    /// Who asks.
    pub(super) who: String,
}

impl State {
    /// Asks the project beside the thread that answers: secrets may have to be asked of a program, which is waited for.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Surroundings) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let surroundings = self.api.surroundings.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&*surroundings)).await;
        asked.map_err(|_| Failure::new(FailureKind::System, "the project could not be asked"))
    }

    pub(super) fn new(api: Api) -> Self {
        Self {
            api,
            started: Started::default(),
            followers: AtomicUsize::new(0),
            keys: webhook::Keys::default(),
            rates: Rates::default(),
        }
    }
}

/// Answers a request.
pub(super) async fn enter(
    state: &std::sync::Arc<State>,
    request: Request<Incoming>,
    peer: &str,
    is_socket: bool,
) -> Answer {
    if !is_meant(&state.api.section, request.headers(), is_socket) {
        return answer::wrong(
            StatusCode::FORBIDDEN,
            "forbidden",
            "the service is not asked under this name, or by this page",
        );
    }
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let found = routes::find(request.method().as_str(), &path);
    let needs = found.map(|(route, _)| route.needs);
    let who = match needs {
        Some(Permission::Anybody | Permission::Signature) => {
            if !state.rates.allow(peer, state.api.section.rate) {
                return too_often();
            }
            peer.to_owned()
        }
        Some(Permission::Scope(_)) | None => {
            let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let token = match token::found(&state.api.journal, header, Timestamp::now().as_second()) {
                Ok(token) => token,
                Err(failure) => return answer::failed(&failure),
            };
            let Some(token) = token else {
                return if state.rates.allow(&format!("stranger {peer}"), STRANGERS) {
                    answer::unknown()
                } else {
                    too_often()
                };
            };
            if !state.rates.allow(&format!("token {}", token.name), state.api.section.rate) {
                return too_often();
            }
            if !may(&token, needs) {
                return answer::nothing();
            }
            token.name
        }
    };
    let Some((route, part)) = found else { return answer::nothing() };
    let part = part.to_owned();
    let headers = request.headers().clone();
    let body = match tokio::time::timeout(BODY_TIME, Limited::new(request.into_body(), BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            let message = "the body is larger than 1 MiB, or did not arrive whole";
            return closing(answer::wrong(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
        }
        Err(_) => {
            let message = "the body did not arrive within 10 seconds";
            return closing(answer::wrong(StatusCode::REQUEST_TIMEOUT, "timeout", message));
        }
    };
    let asked = Asked { route, part, query, body, who };
    if route.needs == Permission::Signature {
        return webhook::take(state, &asked, &headers).await;
    }
    handle(state, asked).await
}

fn may(token: &TokenRow, needs: Option<Permission>) -> bool {
    matches!(needs, Some(Permission::Scope(scope)) if token.scopes.iter().any(|one| one == scope))
}

fn too_often() -> Answer {
    let mut answer =
        answer::wrong(StatusCode::TOO_MANY_REQUESTS, "too_often", "too many requests; try again in a minute");
    answer.headers_mut().insert("retry-after", hyper::header::HeaderValue::from_static("60"));
    answer
}

/// What is left of the request is not read.
fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert("connection", hyper::header::HeaderValue::from_static("close"));
    answer
}
