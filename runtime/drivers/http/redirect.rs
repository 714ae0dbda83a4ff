use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION};
use reqwest::{Method, Response};

use super::Request;
use super::request::Leg;
use crate::failure::{Failure, FailureKind};

/// What an answer asks for.
pub(super) enum Next {
    /// It is the final one.
    Stay,
    /// Ask there instead.
    Follow(Box<Leg>),
}

/// Follows a redirect as RFC 9110, section 15.4 and browsers do: 303 always becomes a GET, 301 and 302 turn a POST into
/// one, 307 and 308 repeat the request. Credentials never follow to another host, port or scheme.
pub(super) fn next(request: &Request, leg: &Leg, response: &Response, followed: usize) -> Result<Next, Failure> {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let (Some(location), 301 | 302 | 303 | 307 | 308) = (location, status) else { return Ok(Next::Stay) };
    if request.redirects == 0 {
        return Ok(Next::Stay);
    }
    let address = leg.address.join(location)?;
    if followed >= request.redirects {
        let message = format!("`{}` redirects more than {} times", request.address, request.redirects);
        return Err(Failure::new(FailureKind::Check, message)
            .hint(format!("the next stop would be `{address}`; see the chain for a loop, or raise `redirects`")));
    }
    let mut next = Leg { address, ..leg.clone() };
    let becomes_get = match status {
        303 => leg.method != Method::HEAD,
        301 | 302 => leg.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        next.method = Method::GET;
        next.body = None;
        next.headers.remove(CONTENT_TYPE);
        next.headers.remove(CONTENT_LENGTH);
    }
    if next.address.authority() != leg.address.authority() || next.address.is_tls() != leg.address.is_tls() {
        next.basic = None;
        for name in [AUTHORIZATION, COOKIE, HOST] {
            next.headers.remove(name);
        }
    }
    Ok(Next::Follow(Box::new(next)))
}
