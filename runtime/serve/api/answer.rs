use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::failure::{Failure, FailureKind};

/// What is answered.
pub(super) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// JSON.
pub(super) fn document(status: StatusCode, value: &Value) -> Answer {
    with_type(status, "application/json", value.to_string())
}

/// A text of that type.
pub(super) fn with_type(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)).boxed());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}

/// Something is wrong, in a word and a sentence.
pub(super) fn wrong(status: StatusCode, word: &str, message: &str) -> Answer {
    document(status, &json!({ "error": { "kind": word, "message": message } }))
}

/// There is no such thing; or it is none of their business, which nobody can tell from it.
pub(super) fn nothing() -> Answer {
    wrong(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

/// Who is asking?
pub(super) fn unknown() -> Answer {
    let mut answer = wrong(StatusCode::UNAUTHORIZED, "unauthorized", "this takes a token that counts");
    answer.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
    answer
}

/// Why it was not done.
pub(super) fn failed(failure: &Failure) -> Answer {
    let status = match failure.kind {
        FailureKind::NotFound => StatusCode::NOT_FOUND,
        FailureKind::Argument | FailureKind::Option | FailureKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        FailureKind::Conflict | FailureKind::Refused => StatusCode::CONFLICT,
        FailureKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let kind = serde_json::to_value(failure.kind).unwrap_or_default();
    document(status, &json!({ "error": { "kind": kind, "message": failure.message, "hints": failure.hints } }))
}
