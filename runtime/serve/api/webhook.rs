//! Somebody else's events: signed, each taken once, and only the fields that were asked for reach a runbook.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// How long a key is known before it is asked for again. Whoever sends rubbish has a program started no more often than that.
const KNOWN: Duration = Duration::from_secs(10);

/// The keys of webhooks that were asked for a moment ago.
#[derive(Clone, Default)]
pub(super) struct Keys(Arc<Mutex<HashMap<String, (Instant, String)>>>);

impl Keys {
    /// The key, asked for by one request at a time.
    fn get(&self, name: &str, ask: impl FnOnce() -> Result<String, Failure>) -> Result<String, Failure> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = known.get(name).filter(|(since, _)| since.elapsed() < KNOWN) {
            return Ok(key.clone());
        }
        let key = ask()?;
        known.insert(name.to_owned(), (Instant::now(), key.clone()));
        Ok(key)
    }
}

/// Takes what came.
pub(super) async fn take(state: &State, asked: &Asked, headers: &HeaderMap) -> Answer {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let webhook = match signed(state, asked, headers).await {
        Ok(Some(webhook)) => webhook,
        // A webhook that there is not answers as one does whose signature is wrong.
        Ok(None) => {
            let message = "the body is not signed by who may send it";
            return answer::wrong(StatusCode::UNAUTHORIZED, "unauthorized", message);
        }
        Err(failure) => return answer::failed(&failure),
    };
    match begin(state, asked, &webhook, text(&webhook.delivery)).await {
        Ok((status, value)) => answer::document(status, &value),
        Err(failure) => answer::failed(&failure),
    }
}

/// The webhook, if the body is signed by who may send it.
async fn signed(state: &State, asked: &Asked, headers: &HeaderMap) -> Result<Option<WebhookEntry>, Failure> {
    let Some(webhook) = state.api.surroundings.webhook(&asked.part)? else { return Ok(None) };
    // A key is not asked for on behalf of somebody who shows no signature.
    let shown = headers.get(&webhook.signature).and_then(|value| value.to_str().ok());
    let Some(signature) = shown.and_then(signature) else { return Ok(None) };
    let (keys, name) = (state.keys.clone(), asked.part.clone());
    let asking = state.aside(move |surroundings| {
        let key = keys.get(&name, || surroundings.webhook_key(&webhook))?;
        Ok::<_, Failure>((webhook, key))
    });
    let (webhook, key) = asking.await??;
    Ok(is_signed(&key, &asked.body, &signature).then_some(webhook))
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

/// The whole of a signature, with or without the name of its kind: a part of one is none.
fn signature(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("sha256=").unwrap_or(text).as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Is it the HMAC with SHA-256 of the body? Takes as long whatever they have in common.
fn is_signed(key: &str, body: &[u8], signature: &[u8; 32]) -> bool {
    let Ok(mut hash) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
    hash.update(body);
    hash.verify_slice(signature).is_ok()
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
