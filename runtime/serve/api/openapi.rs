//! The document that describes the routes: made of the table, so that it cannot say anything else.

use serde_json::{Map, Value, json};

use super::routes::{Permission, ROUTES};

/// The document.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let parameters: Vec<Value> = route
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        let mut answers = json!({ "200": { "description": "done" } });
        let mut operation = json!({ "summary": route.summary, "parameters": parameters });
        match route.needs {
            Permission::Anybody => operation["security"] = json!([]),
            Permission::Signature => {
                operation["security"] = json!([]);
                answers = json!({ "202": { "description": "taken" }, "401": { "description": "not signed" } });
            }
            Permission::Scope(scope) => {
                operation["security"] = json!([{ "token": [] }]);
                operation["x-scope"] = scope.into();
                answers["401"] = json!({ "description": "no token that counts" });
                answers["404"] = json!({ "description": "nothing there, or nothing for this token" });
            }
        }
        if route.method == "POST" && route.needs != Permission::Signature {
            answers["202"] = json!({ "description": "begun" });
            operation["requestBody"] = json!({ "content": { "application/json": { "schema": { "type": "object" } } } });
        }
        operation["responses"] = answers;
        let path = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "runbook", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": { "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
    })
}
