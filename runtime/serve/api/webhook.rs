//! Somebody else's events: signed, each taken once, and only the fields that were asked for reach a runbook.

use hmac::{Hmac, KeyInit, Mac};
use hyper::StatusCode;
use hyper::header::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::answer::{self, Answer};
use super::entry::{Asked, State};
use super::{start, token};
use crate::failure::{Failure, FailureKind};
use crate::project::WebhookEntry;

/// Takes what came.
pub(super) async fn take(state: &State, asked: &Asked, headers: &HeaderMap) -> Answer {
    let found = match state.api.surroundings.webhook(&asked.part) {
        Ok(found) => found,
        Err(failure) => return answer::failed(&failure),
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed =
        found.filter(|(webhook, key)| is_signed(key, &asked.body, text(&webhook.signature).unwrap_or_default()));
    // A webhook that there is not answers as one does whose signature is wrong.
    let Some((webhook, _)) = signed else {
        return answer::wrong(StatusCode::UNAUTHORIZED, "unauthorized", "the body is not signed by who may send it");
    };
    match begin(state, asked, &webhook, text(&webhook.delivery)).await {
        Ok((status, value)) => answer::document(status, &value),
        Err(failure) => answer::failed(&failure),
    }
}

async fn begin(
    state: &State,
    asked: &Asked,
    webhook: &WebhookEntry,
    delivery: Option<&str>,
) -> Result<(StatusCode, Value), Failure> {
    let document: Value = serde_json::from_slice(&asked.body)
        .map_err(|_| Failure::new(FailureKind::Invalid, "the body is no JSON document"))?;
    let differs =
        webhook.when.iter().find(|(place, wanted)| at(&document, place).and_then(plain).as_ref() != Some(*wanted));
    if let Some((place, _)) = differs {
        return Ok((StatusCode::OK, json!({ "ignored": format!("`{place}` is not what is waited for") })));
    }
    let mut parameters = Map::new();
    for (name, place) in &webhook.parameters {
        let value = at(&document, place).filter(|value| plain(value).is_some()).ok_or_else(|| {
            Failure::new(FailureKind::Invalid, format!("the body has no text, number or truth value at `{place}`"))
        })?;
        parameters.insert(name.clone(), value.clone());
    }
    let words = state.api.surroundings.words(&webhook.runbook, webhook.env.as_deref(), &parameters)?;
    // What is signed is the body, so that its sender cannot be imitated by another name of the delivery.
    let sum = token::sum(&asked.body);
    let marks: Vec<String> = [Some(format!("sha256 {sum}")), delivery.map(|name| format!("delivery {name}"))]
        .into_iter()
        .flatten()
        .collect();
    if !state.api.journal.add_delivery(&asked.part, &marks, Timestamp::now().as_second())? {
        return Ok((StatusCode::OK, json!({ "duplicate": true })));
    }
    let who = format!("webhook-{}", asked.part);
    match start::run(state, words, webhook.env.as_deref(), &who).await {
        Ok(run) => Ok((StatusCode::ACCEPTED, json!({ "run": run }))),
        Err(failure) => {
            // Nothing began: whoever sent it may send it again.
            if failure.kind != FailureKind::Timeout {
                state.api.journal.remove_delivery(&asked.part, &marks)?;
            }
            Err(failure)
        }
    }
}

/// Is it the HMAC with SHA-256 of the body? Takes as long whatever they have in common.
fn is_signed(key: &str, body: &[u8], signature: &str) -> bool {
    let digits = signature.strip_prefix("sha256=").unwrap_or(signature).as_bytes();
    let mut bytes = Vec::with_capacity(32);
    for pair in digits.chunks(2) {
        let text = std::str::from_utf8(pair).unwrap_or_default();
        let Some(byte) = (pair.len() == 2).then(|| u8::from_str_radix(text, 16).ok()).flatten() else { return false };
        bytes.push(byte);
    }
    let Ok(mut hash) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
    hash.update(body);
    // The whole of it: a part of a signature is none.
    hash.verify_slice(&bytes).is_ok()
}

/// What stands at a place: `release.tag_name`, `commits.0.id`.
fn at<'a>(document: &'a Value, place: &str) -> Option<&'a Value> {
    place.split('.').try_fold(document, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        value => value.get(key),
    })
}

/// A text, a number or a truth value, as a text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
