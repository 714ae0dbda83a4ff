use super::super::{journal, wait_until};
use super::{Api, project, token};
use runbook::journal::RunState;

#[test]
fn a_run_is_started_looked_at_stopped_and_approved() {
    let project = project("");
    let all = token(&project, "ci", "read,start,control,approve,metrics,schedule");
    let api = Api::start(&project);
    let state = |run: i64| journal(&project).unwrap().run(run).unwrap().state;

    let body = r#"{"runbook": "note.rhai", "env": "prod", "parameters": {"word": "hello; rm -rf", "times": 3}}"#;
    let started = api.with(&all, "POST", "/v1/runs", body);
    assert_eq!(started.status, 202, "{started:?}");
    let run = started.json()["run"].as_i64().unwrap();
    wait_until("it has ended", || state(run) == RunState::Ok);
    let shown = api.with(&all, "GET", &format!("/v1/runs/{run}"), "").json();
    assert_eq!(shown["run"]["parameters"]["times"], 3);
    assert!(shown["run"]["started_by"].as_str().unwrap().starts_with("api:ci@"), "{shown}");
    let lines = api.with(&all, "GET", &format!("/v1/runs/{run}/logs?limit=5"), "").json();
    assert_eq!(lines["lines"][0]["line"], "hello; rm -rf 3");
    let listed = api.with(&all, "GET", "/v1/runs?runbook=note&state=ok&env=prod", "").json();
    assert_eq!(listed["runs"].as_array().unwrap().len(), 1);

    let started = api.with(&all, "POST", "/v1/runs", r#"{"runbook": "long.rhai"}"#);
    let run = started.json()["run"].as_i64().unwrap();
    assert_eq!(api.with(&all, "POST", &format!("/v1/runs/{run}/cancel"), "").status, 202);
    wait_until("it was stopped", || state(run) == RunState::Cancelled);
    let again = api.with(&all, "POST", &format!("/v1/runs/{run}/cancel"), "");
    assert_eq!(again.status, 409, "{again:?}");
    let said = again.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(said.contains(&format!("run {run}")) && !said.contains("error:") && !said.contains("hint:"), "{said}");

    let started = api.with(&all, "POST", "/v1/runs", r#"{"runbook": "ask.rhai"}"#);
    let run = started.json()["run"].as_i64().unwrap();
    wait_until("it waits", || state(run) == RunState::Waiting);
    let shown = api.with(&all, "GET", &format!("/v1/runs/{run}"), "").json();
    let digest = shown["run"]["parked"]["digest"].as_str().unwrap().to_owned();
    let wrong = api.with(&all, "POST", &format!("/v1/runs/{run}/approve"), r#"{"digest": "0000"}"#);
    assert_eq!(wrong.status, 409, "{wrong:?}");
    assert_eq!(api.with(&all, "POST", &format!("/v1/runs/{run}/approve"), "{}").status, 422);
    let yes = format!(r#"{{"digest": "{digest}"}}"#);
    assert_eq!(api.with(&all, "POST", &format!("/v1/runs/{run}/approve"), &yes).status, 202);
    wait_until("it went on", || state(run) == RunState::Ok);

    assert_eq!(api.with(&all, "POST", "/v1/schedules/rare/pause", "").json()["paused"], true);
    let schedule = || api.with(&all, "GET", "/v1/schedules", "").json()["schedules"][0].take();
    assert_eq!(schedule()["name"], "rare");
    let file = std::fs::read_to_string(project.path().join("runbook.toml")).unwrap();
    std::fs::write(project.path().join("runbook.toml"), file.replace("[schedule.rare]", "[schedule.rarely]")).unwrap();
    assert_eq!(schedule()["name"], "rarely", "what the file says now, whatever the service has read");
    let metrics = api.with(&all, "GET", "/metrics", "");
    assert!(
        metrics.body.contains("runbook_runs{runbook=\"note.rhai\",env=\"prod\",result=\"ok\"} 1"),
        "{}",
        metrics.body
    );
    assert!(metrics.body.contains("runbook_ledger_gaps 0\n"), "{}", metrics.body);
    let document = api.ask("GET", "/openapi.json", &[], "").json();
    assert!(document["paths"]["/v1/runs/{run}/approve"]["post"].is_object());
    assert_eq!(api.ask("GET", "/readyz", &[], "").json()["status"], "ready");
}
