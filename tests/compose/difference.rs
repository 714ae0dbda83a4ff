//! Why a container must be recreated, field by field.

use runbook::compose::{Running, difference};
use serde_json::json;

use super::Project;

fn service(text: &str) -> runbook::compose::Service {
    Project::new(&format!("services: {{a: {text}}}")).app().services["a"].clone()
}

fn lines(before: &str, after: &str) -> Vec<String> {
    let running = Running::Recorded(service(before).config());
    difference(&service(after), &running).iter().map(ToString::to_string).collect()
}

#[test]
fn what_did_not_change_is_no_difference() {
    let text = "{image: 'x:1', ports: ['80:80'], environment: [B=2, A=1]}";
    assert!(lines(text, text).is_empty());
    assert!(lines("{image: x, ports: ['80:80']}", "{image: x, ports: [{target: 80, published: 80}]}").is_empty());
    assert!(
        lines("{image: x, build: one, scale: 1}", "{image: x, build: two, scale: 3, pull_policy: always}").is_empty()
    );
}

#[test]
fn each_field_that_changed_is_named_with_both_values() {
    assert_eq!(lines("{image: 'x:1'}", "{image: 'x:2'}"), ["image: x:1 → x:2"]);
    assert_eq!(
        lines("{image: x, environment: {TAG: 1, OLD: 1}}", "{image: x, environment: {TAG: 2, NEW: ''}}"),
        ["environment.NEW: not set → \"\"", "environment.OLD: 1 → not set", "environment.TAG: 1 → 2"]
    );
    assert_eq!(lines("{image: x, ports: ['80:80']}", "{image: x, ports: ['81:80']}"), ["ports[0].published: 80 → 81"]);
    assert_eq!(lines("{image: x, command: a b}", "{image: x}"), ["command: [\"a\",\"b\"] → not set"]);
    assert_eq!(
        lines("{image: x, healthcheck: {test: t}}", "{image: x, healthcheck: {test: t, interval: 5s}}"),
        ["healthcheck.interval: not set → 5s"]
    );
}

#[test]
fn values_that_look_like_secrets_are_not_shown() {
    assert_eq!(
        lines(
            "{image: x, environment: {DB_PASSWORD: a, API_TOKEN: a}}",
            "{image: x, environment: {DB_PASSWORD: b, SECRET_KEY: c}}"
        ),
        ["environment.API_TOKEN: removed", "environment.DB_PASSWORD: changed", "environment.SECRET_KEY: added"]
    );
}

#[test]
fn of_an_observed_container_only_what_is_known_is_compared() {
    let wanted = service("{image: 'x:1', environment: {A: 1}, user: u, hostname: h}");
    let observed = json!({"image": "x:1", "environment": {"A": "1", "PATH": "/bin"}, "user": "other"});
    let found: Vec<String> =
        difference(&wanted, &Running::Observed(observed)).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["user: other → u"]);
}
