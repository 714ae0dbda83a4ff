//! HTTP requests for people who want to know why one failed.
//!
//! Every request uses a fresh connection, so what answers is what answers now; nothing is set up before the first
//! request, and the machine's certificate authorities are read only when a TLS server shows a certificate. Redirects
//! are followed here and not in the client library: the chain is part of the answer, credentials stay with their host,
//! and `resolve` holds for every hop.

mod address;
mod answer;
mod certificate;
mod client;
mod excerpt;
mod fault;
mod kept;
mod lookup;
mod reach;
mod redirect;
mod request;
mod sight;
mod trust;

use std::time::{Duration, Instant};

use reqwest::Response;

use crate::failure::{Failure, FailureKind};

pub use address::Address;
pub use answer::{Answer, Hop};
pub use certificate::Certificate;
pub use kept::{Header, Kept, Letter, Pulse, Reply};
pub use reach::{Gate, Range};
pub use request::Request;
pub use trust::Trust;

use redirect::Next;
use request::Leg;
use sight::Sight;

/// Sends a request, follows redirects, and reads the body up to its cap.
///
/// Ends within [`Request::timeout`] whatever the server does: the limit spans name lookup, connection, every redirect
/// and the whole body. An answer of any status is an [`Answer`]; a [`Failure`] means there was no complete one, and says
/// how far it came. `gate` is asked about every address before it is; what a name leads to is judged when it is connected to,
/// so that a name cannot mean one thing when it is looked at and another when it is used.
pub async fn send(request: &Request, gate: &dyn Gate) -> Result<Answer, Failure> {
    let started = Instant::now();
    let mut hops = Vec::new();
    let mut leg = Leg::first(request);
    loop {
        let sight = Sight::default();
        let sent = match gate.may_ask(&leg.address) {
            Ok(()) => ask(request, &leg, gate, &sight, started).await,
            Err(failure) => Err(failure),
        };
        let response = sent.map_err(|failure| with_hops(failure, &hops))?;
        match redirect::next(request, &leg, &response, hops.len()).map_err(|failure| with_hops(failure, &hops))? {
            Next::Follow(next) => {
                hops.push(Hop {
                    status: response.status().as_u16(),
                    from: leg.address.to_string(),
                    to: next.address.to_string(),
                });
                leg = *next;
            }
            Next::Stay => return read(request, &leg, &sight, started, hops, response).await,
        }
    }
}

/// One exchange up to the answer's head.
async fn ask(
    request: &Request,
    leg: &Leg,
    gate: &dyn Gate,
    sight: &Sight,
    started: Instant,
) -> Result<Response, Failure> {
    let left = request.timeout.saturating_sub(started.elapsed());
    let is_named = gate.names(leg.address.host());
    if let Some(target) = request.resolved(&leg.address) {
        reach::check(&leg.address, target.ip(), is_named || gate.names(&target.ip().to_string()))?;
    } else if let Some(address) = leg.address.ip() {
        reach::check(&leg.address, address, is_named)?;
    }
    let client = client::build(request, leg, is_named, sight, left)?;
    let exchange = client.execute(leg.to_wire(request.resolved(&leg.address)));
    // The client's own limit for connecting is `left`: a little more here makes it speak first, and tell the two apart.
    match tokio::time::timeout(left + Duration::from_millis(50), exchange).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) if error.is_connect() && error.is_timeout() => {
            Err(fault::timed_out(request.timeout, &leg.address, sight, false))
        }
        Ok(Err(error)) => Err(fault::explain(&error, &leg.address, sight)),
        Err(_) => Err(fault::timed_out(request.timeout, &leg.address, sight, true)),
    }
}

/// Reads the body until its end, its cap or the deadline.
async fn read(
    request: &Request,
    leg: &Leg,
    sight: &Sight,
    started: Instant,
    hops: Vec<Hop>,
    mut response: Response,
) -> Result<Answer, Failure> {
    let mut answer = Answer::head(&response, leg.address.to_string(), hops, sight.certificate());
    let cap = usize::try_from(request.max_body).unwrap_or(usize::MAX);
    let body = async {
        while let Some(chunk) = response.chunk().await? {
            let room = cap - answer.body.len();
            if chunk.len() > room {
                answer.body.extend_from_slice(&chunk[..room]);
                answer.truncated = true;
                break;
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok::<(), reqwest::Error>(())
    };
    let left = request.timeout.saturating_sub(started.elapsed());
    let ended = tokio::time::timeout(left, body).await;
    answer.took = started.elapsed();
    let failure = match ended {
        Ok(Ok(())) => return Ok(answer),
        Ok(Err(error)) => fault::explain(&error, &leg.address, sight),
        Err(_) => Failure::new(
            FailureKind::Timeout,
            format!(
                "`{}`: timed out after {} while reading the body ({} bytes so far)",
                leg.address,
                crate::units::Span(request.timeout),
                answer.body.len(),
            ),
        ),
    };
    Err(failure.evidence("answer so far", answer.excerpt()))
}

fn with_hops(failure: Failure, hops: &[Hop]) -> Failure {
    if hops.is_empty() { failure } else { failure.evidence("redirects", answer::chain(hops)) }
}
