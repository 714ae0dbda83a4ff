//! The `OpenAPI` document: whatever any route answers is what it says.

use runbook::serve::api::{Permission, ROUTES, Route};
use serde_json::{Value, json};

use super::super::{journal, wait_until};
use super::{Answered, Api, project, token};
use runbook::journal::RunState;

/// The description of a route.
fn operation<'a>(document: &'a Value, route: &Route) -> &'a Value {
    &document["paths"][route.path][route.method.to_lowercase()]
}

/// Is that an answer the document knows?
fn fits(document: &Value, route: &Route, asked: &str, answer: &Answered) {
    let found = &operation(document, route)["responses"][answer.status.to_string()];
    assert!(found.is_object(), "{} {asked} answers {answer:?}, which is not in the document", route.method);
    assert!(found["content"][&answer.kind].is_object(), "{} {asked} answers {answer:?}: {found}", route.method);
    if answer.status >= 400 {
        let error = &answer.json()["error"];
        assert!(error["kind"].is_string() && error["message"].is_string(), "{answer:?}");
    }
}

#[test]
fn every_route_answers_as_its_document_says() {
    let project = project("[webhook.hook]\nrunbook = \"note.rhai\"\nkey = { secret = \"HOOK_KEY\" }\n")
        .env("HOOK_KEY", "a-key-that-nobody-guesses");
    project.runbook(&["run", "note.rhai"]).success();
    let text = project.read("runbook.toml").replace("[service]", "rate = 6000\n[service]");
    project.file_now("runbook.toml", &text);
    let all = token(&project, "all", "read,metrics,start,control,approve,schedule");
    let api = Api::start(&project);
    let document = api.ask("GET", "/openapi.json", &[], "").json();
    assert_eq!(document["openapi"], "3.1.0");
    let operations = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len());
    assert_eq!(operations.sum::<usize>(), ROUTES.len(), "nothing is left out, and nothing besides");

    let mut answers = 0;
    for route in ROUTES {
        let found = operation(&document, route);
        let parameters = found["parameters"].as_array().unwrap();
        let named = |place: &str| parameters.iter().filter(|one| one["in"] == place).count();
        assert_eq!((named("path"), named("query")), (route.path.matches('{').count(), route.asks.len()), "{found}");
        let is_open = route.needs == Permission::Anybody || route.needs == Permission::Signature;
        assert_eq!(found["security"], if is_open { json!([]) } else { json!([{ "token": [] }]) }, "{found}");
        let properties = found["requestBody"]["content"]["application/json"]["schema"]["properties"].as_object();
        assert_eq!(properties.map_or(0, serde_json::Map::len), route.takes.len(), "{found}");

        for part in ["1", "none"] {
            let path = route.path.replace("{run}", part).replace("{name}", if part == "1" { "rare" } else { part });
            let asked = route.asks.iter().map(|field| match field.kind {
                "integer" => format!("{}=3", field.name),
                _ if field.name == "state" => "state=ok,failed".to_owned(),
                _ => format!("{}=word", field.name),
            });
            let query = format!("{path}?{}", asked.collect::<Vec<_>>().join("&"));
            let bodies: &[&str] = match route.method {
                "GET" => &[""],
                _ => &["", "{\"nonsense\": 1}", "[", "{\"runbook\": \"none.rhai\", \"digest\": \"x\"}"],
            };
            for body in bodies {
                fits(&document, route, &path, &api.with(&all, route.method, &path, body));
                answers += 1;
            }
            for path in [&query, &format!("{path}?limit=0"), &format!("{path}?nonsense=1")] {
                let answer = api.with(&all, route.method, path, "");
                fits(&document, route, path, &answer);
                let may_be_wrong = !is_open && route.path != "/metrics";
                assert!(!may_be_wrong || !path.contains("nonsense") || answer.status == 422, "{path} {answer:?}");
                answers += 1;
            }
            fits(&document, route, &path, &api.ask(route.method, &path, &[("Origin", "https://evil.example.com")], ""));
            if !is_open {
                // Nobody in particular.
                fits(&document, route, &path, &api.ask(route.method, &path, &[], ""));
            }
        }
    }
    assert!(answers >= ROUTES.len() * 8, "{answers}");
    let busy = || journal(&project).unwrap().runs_by_state().unwrap().iter().any(|(_, number)| *number > 0);
    wait_until("nothing goes on", || !busy());
    assert_eq!(journal(&project).unwrap().run(1).unwrap().state, RunState::Ok, "none of it changed what had ended");
}

#[test]
fn a_word_with_a_slip_in_it_is_not_passed_over() {
    let project = project("");
    let read = token(&project, "ann", "read");
    let api = Api::start(&project);
    let answer = api.with(&read, "GET", "/v1/runs?runbok=deploy", "");
    assert_eq!(answer.status, 422);
    let error = &answer.json()["error"];
    assert_eq!(error["message"], "`runbok` cannot be asked here");
    assert_eq!(error["hints"][0], "it takes `runbook`, `env`, `state`, `limit`");
    let answer = api.with(&read, "GET", "/v1/fires?limit=many", "");
    assert_eq!(answer.json()["error"]["message"], "`limit` is a number from 1 to 1000, and not `many`");
}
