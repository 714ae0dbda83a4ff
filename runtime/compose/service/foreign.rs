//! What Compose hands to somebody else: model runners, plugins, the credentials of Windows. It is read because Compose hashes it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::is_zero;
use crate::compose::cursor::{Cursor, plain};
use crate::compose::node::Content;

/// How a service is told about a model that it uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServiceModel {
    /// The variable that gets the model's address.
    #[serde(skip_serializing_if = "is_zero", rename = "endpoint_var")]
    pub endpoint_variable: String,
    /// The variable that gets the model's name.
    #[serde(skip_serializing_if = "is_zero", rename = "model_var")]
    pub model_variable: String,
}

/// A plugin that runs a service in the place of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Provider {
    /// The plugin.
    #[serde(skip_serializing_if = "is_zero", rename = "type")]
    pub kind: String,
    /// What it is told.
    #[serde(skip_serializing_if = "is_zero")]
    pub options: BTreeMap<String, Vec<String>>,
}

/// Credentials of a Windows container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CredentialSpec {
    /// The config that holds them.
    #[serde(skip_serializing_if = "is_zero")]
    pub config: String,
    /// The file that holds them.
    #[serde(skip_serializing_if = "is_zero")]
    pub file: String,
    /// The key of the registry that holds them.
    #[serde(skip_serializing_if = "is_zero")]
    pub registry: String,
}

pub(super) fn models(cursor: &Cursor) -> BTreeMap<String, Option<ServiceModel>> {
    cursor.map().into_iter().map(|(key, value)| (key.to_owned(), model(&value))).collect()
}

fn model(cursor: &Cursor) -> Option<ServiceModel> {
    if cursor.node.content == Content::Null {
        return None;
    }
    let fields = cursor.fields()?;
    let model =
        ServiceModel { endpoint_variable: fields.string("endpoint_var"), model_variable: fields.string("model_var") };
    fields.close();
    Some(model)
}

pub(super) fn provider(cursor: &Cursor) -> Option<Provider> {
    let fields = cursor.fields()?;
    let options = fields.get("options").map(|cursor| cursor.map()).unwrap_or_default();
    let provider = Provider {
        kind: fields.string("type"),
        options: options.into_iter().map(|(key, value)| (key.to_owned(), repeated(&value))).collect(),
    };
    if !fields.has("type") {
        cursor.error("`type` is missing");
    }
    fields.close();
    Some(provider)
}

/// One value, or one for each time that the option is given.
fn repeated(cursor: &Cursor) -> Vec<String> {
    let text = |cursor: &Cursor| plain(cursor.node).or_else(|| cursor.expected("a string, number or bool"));
    match &cursor.node.content {
        Content::List(_) => cursor.list().iter().filter_map(text).collect(),
        _ => text(cursor).into_iter().collect(),
    }
}

pub(super) fn credential_spec(cursor: &Cursor) -> Option<CredentialSpec> {
    let fields = cursor.fields()?;
    let spec = CredentialSpec {
        config: fields.string("config"),
        file: fields.string("file"),
        registry: fields.string("registry"),
    };
    fields.close();
    Some(spec)
}
