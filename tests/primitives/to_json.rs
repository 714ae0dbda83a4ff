//! `to_json`: values as JSON, secrets, handles and what a plan does not know included.

use serde_json::{Value, json};

use super::secret::runs;
use crate::harness::Project;

/// As the language itself has it for maps; the second one has a quote in it, and a backslash.
const QUOTES: &str = "quote\" and back\\slash";

fn written(script: &str) -> Value {
    let project = Project::script(script).env("QUOTES", QUOTES);
    project.run().success().never_says("back\\");
    serde_json::from_str(&project.read("out")).unwrap()
}

#[test]
fn everything_that_a_script_has_can_be_written() {
    let value = written(
        r#"let value = #{ text: "a \"b\"\n", number: 3, part: 1.5, yes: true, none: (), list: [1, #{ a: "b" }], empty: #{} };
        file("out").write(value.to_json());"#,
    );
    let wanted = json!({
        "text": "a \"b\"\n", "number": 3, "part": 1.5, "yes": true, "none": null, "list": [1, { "a": "b" }], "empty": {},
    });
    assert_eq!(value, wanted);
    assert_eq!(written(r#"file("out").write([1, "a"].to_json());"#), json!([1, "a"]));
    assert_eq!(written(r#"file("out").write(to_json("a"));"#), json!("a"));
    assert_eq!(
        written(r#"file("out").write(#{ at: file("x.txt") }.to_json());"#),
        json!({ "at": { "path": "x.txt" } })
    );
}

#[test]
fn a_secret_is_escaped_where_it_is_put() {
    let value = written(
        r#"let it = secret("QUOTES");
        file("out").write(#{ it: it, url: `x://${it}@db`, list: [it] }.to_json(), #{ mode: "0600" });"#,
    );
    assert_eq!(value, json!({ "it": QUOTES, "url": format!("x://{QUOTES}@db"), "list": [QUOTES] }));
}

#[test]
fn a_secret_in_json_stays_a_secret() {
    super::secret::refused(
        r#"sh(["echo", #{ key: secret("API_TOKEN") }.to_json()])"#,
        "the secret `json(API_TOKEN)` may not stand in `argv` of `sh`",
    );
    let project = runs(r#"file("out").write(#{ key: secret("API_TOKEN") }.to_json(), #{ mode: "0600" });"#);
    let told = project.runbook(&["audit", "--secret", "API_TOKEN"]).success();
    told.prints("json(API_TOKEN) to file.write, text");
}

#[test]
fn what_has_no_json_is_refused() {
    let refused = |script: &str, why: &str| {
        Project::script(script).run().code(1).says(why);
    };
    refused("let f = #{ f: || 1 }; print(f.to_json());", "`to_json`: a closure cannot be written as JSON");
    refused("print([0.0 / 0.0].to_json());", "a number that is not finite");
}

#[test]
fn what_a_plan_does_not_know_stays_unknown() {
    let project = Project::script(r#"let ran = sh(["date"]); file("out").write(#{ at: ran.stdout }.to_json());"#);
    let plan = project.runbook(&["plan", "test.rhai"]).success();
    plan.prints("file out").never_says("Unknown").never_says("::");
    project.run().success();
}

#[test]
fn lists_and_maps_are_shown_with_their_secrets_whole() {
    let project = runs(
        r#"let key = secret("API_TOKEN"); let url = `x://${key}@db`;
        print([url, "a \"b\""]); print(#{ url: url }.to_string());
        file("out").write(`${[key, url]}`, #{ mode: "0600" });"#,
    );
    assert_eq!(project.read("out"), r#"[another-token-0123456789, "x://another-token-0123456789@db"]"#);
    let logs = project.runbook(&["logs", "1"]).success();
    logs.prints(r#"["x://⟨secret API_TOKEN⟩@db", "a \"b\""]"#).never_says("10f7");
}
