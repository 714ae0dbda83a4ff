//! The document that describes the routes: made of the table, so that it cannot say anything else.

use serde_json::{Map, Value, json};

use super::routes::{Does, Field, Permission, ROUTES, Route};

/// The document.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let mut operation = json!({
            "summary": route.summary, "parameters": parameters(route), "responses": responses(route), "security": [],
        });
        if let Permission::Scope(scope) = route.needs {
            operation["security"] = json!([{ "token": [] }]);
            operation["x-scope"] = scope.into();
        }
        if let Some(schema) = body(route) {
            let is_needed = route.takes.is_empty() || route.takes.iter().any(|field| field.is_needed);
            operation["requestBody"] =
                json!({ "required": is_needed, "content": { "application/json": { "schema": schema } } });
        }
        let path = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation;
    }
    let text = json!({ "type": "string" });
    let error = json!({
        "type": "object", "required": ["kind", "message"],
        "properties": { "kind": text, "message": text, "hints": { "type": "array", "items": text } },
    });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "runbook", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Error": { "type": "object", "required": ["error"], "properties": { "error": error } } },
        },
    })
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = route.asks.iter().map(|field| {
        json!({
            "name": field.name, "in": "query", "required": field.is_needed, "description": field.summary,
            "schema": { "type": field.kind },
        })
    });
    in_path.chain(in_query).collect()
}

/// What its body is: as the table has it, or what somebody else's event may be.
fn body(route: &Route) -> Option<Value> {
    if route.needs == Permission::Signature {
        return Some(json!({ "type": "object" }));
    }
    if route.takes.is_empty() {
        return None;
    }
    let property = |field: &Field| (field.name.to_owned(), json!({ "type": field.kind, "description": field.summary }));
    let properties: Map<String, Value> = route.takes.iter().map(property).collect();
    let needed: Vec<&str> = route.takes.iter().filter(|field| field.is_needed).map(|field| field.name).collect();
    Some(json!({ "type": "object", "required": needed, "properties": properties, "additionalProperties": false }))
}

/// Every status it may answer with.
fn responses(route: &Route) -> Value {
    let mut all = Map::new();
    let kind = match route.does {
        Does::Metrics => "text/plain",
        Does::Follow => "text/event-stream",
        _ => "application/json",
    };
    for (status, what) in good(route) {
        let schema = if kind == "application/json" { json!({ "type": "object" }) } else { json!({ "type": "string" }) };
        all.insert((*status).to_owned(), json!({ "description": what, "content": { kind: { "schema": schema } } }));
    }
    for (status, what) in bad(route) {
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
        all.insert(status.to_owned(), json!({ "description": what, "content": content }));
    }
    all.into()
}

fn good(route: &Route) -> &'static [(&'static str, &'static str)] {
    match route.does {
        Does::Webhook => &[("202", "a run began"), ("200", "nothing began: `ignored`, or `duplicate`")],
        Does::Start | Does::Cancel | Does::Resume | Does::Approve | Does::Reject => &[("202", "begun")],
        _ => &[("200", "done")],
    }
}

fn bad(route: &Route) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![
        ("403", "asked under another name, or by a page of somebody else"),
        ("408", "the body did not arrive in time"),
        ("413", "the body is larger than 1 MiB"),
        ("429", "too many requests"),
        ("500", "it could not be done"),
    ];
    match route.needs {
        Permission::Anybody => {}
        Permission::Signature => {
            all.push(("401", "not signed, or no such webhook"));
            all.push(("404", "its runbook is not there"));
        }
        Permission::Scope(_) => {
            all.push(("401", "no token that counts"));
            all.push(("404", "nothing there, or nothing for this token"));
            all.push(("422", "something in the query or the body is not what is expected"));
        }
    }
    let begins =
        matches!(route.does, Does::Start | Does::Cancel | Does::Resume | Does::Approve | Does::Reject | Does::Webhook);
    if begins {
        all.push(("409", "not now: too much goes on, or the run is in another state"));
        all.push(("422", "something in the query or the body is not what is expected"));
        all.push(("504", "it was begun, and nobody knows yet what came of it"));
    }
    all.sort_unstable();
    all.dedup();
    all
}
