//! `$VAR` and its forms, and the warnings about variables that are not set.

use serde_json::json;

use super::{Project, shown};

/// The image that a text becomes, with FULL set to `full` and EMPTY to nothing.
fn image(text: &str) -> String {
    let project =
        Project::new(&format!("services:\n  a:\n    image: \"x{text}\"\n")).set("FULL", "full").set("EMPTY", "");
    project.app().services["a"].image[1..].to_owned()
}

#[test]
fn every_form_of_a_variable_is_replaced() {
    for (text, replaced) in [
        ("$FULL", "full"),
        ("${FULL}", "full"),
        ("$FULL-$FULL", "full-full"),
        ("${UNSET:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY-default}", ""),
        ("${UNSET-default}", "default"),
        ("${FULL:-default}", "full"),
        ("${FULL:+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${EMPTY+other}", "other"),
        ("${UNSET+other}", ""),
        ("${FULL:?needed}", "full"),
        ("${EMPTY?needed}", ""),
        ("${UNSET:-${FULL}}", "full"),
        ("${UNSET:-a${EMPTY:-b}c}", "abc"),
        ("${UNSET:-{x}}", "{x}"),
        ("$$FULL", "$FULL"),
        ("$${FULL}", "${FULL}"),
        ("$$$FULL", "$full"),
        ("a$", "a$"),
        ("$1", "$1"),
        ("${UNSET:-a:b-c?d}", "a:b-c?d"),
    ] {
        assert_eq!(image(text), replaced, "{text}");
    }
}

#[test]
fn a_variable_without_value_and_default_is_a_warning_once() {
    let project = Project::new("services:\n  a:\n    image: x:${TAG}\n  b:\n    image: y:$TAG\n");
    let app = project.app();
    assert_eq!(app.services["b"].image, "y:");
    assert_eq!(
        shown(&app.warnings),
        ["compose.yaml:3:12: services.a.image: the variable `TAG` is not set, so it is replaced by nothing"]
    );
}

#[test]
fn a_required_variable_without_value_is_a_problem_with_its_message() {
    let project = Project::new(
        "services:\n  a:\n    image: x:${TAG:?set TAG to a version}\n    hostname: ${HOST?}\n    user: ${X:?no ${Y-y}}\n",
    );
    let problems = project.load().unwrap_err();
    assert_eq!(
        shown(&problems),
        [
            "compose.yaml:3:12: services.a.image: the variable `TAG` is required and has no value: set TAG to a version",
            "compose.yaml:4:15: services.a.hostname: the variable `HOST` is required and has no value",
            "compose.yaml:5:11: services.a.user: the variable `X` is required and has no value: no y",
        ]
    );
    assert_eq!(problems[0].hint.as_deref(), Some("set TAG in the environment file"));
}

#[test]
fn a_dollar_brace_that_is_no_variable_is_a_problem() {
    let project = Project::new("services:\n  a:\n    image: x\n    command: echo ${1} ${A\n    user: ${A!b}\n");
    assert_eq!(
        project.problems(),
        [
            "compose.yaml:4:14: services.a.command: `${1} ${A` is not a variable",
            "compose.yaml:5:11: services.a.user: `${A!b}` is not a variable",
        ]
    );
}

#[test]
fn defaults_do_not_nest_without_bound() {
    let text = format!("{}x{}", "${A:-".repeat(5_000), "}".repeat(5_000));
    let problems = Project::new(&format!("services: {{a: {{image: '{text}'}}}}")).problems();
    assert_eq!(problems, ["compose.yaml:1:23: services.a.image: `${A:-${A:-${A:-${A:-${A:-${A:-…` is not a variable"]);
}

#[test]
fn the_environment_wins_over_the_environment_file_and_both_feed_every_value() {
    let project = Project::new("services:\n  a:\n    image: app:$TAG\n    ports: ['$PORT:80']\n    read_only: $FLAG\n")
        .file(".env", "TAG=1\nPORT=8080\nFLAG=yes\n")
        .set("TAG", "2");
    assert_eq!(project.config("/services/a/image"), json!("app:2"));
    assert_eq!(project.config("/services/a/ports/0/published"), json!("8080"));
    assert_eq!(project.config("/services/a/read_only"), json!(true));
}

#[test]
fn keys_are_never_replaced_and_an_env_file_of_a_service_replaces_nothing() {
    let project =
        Project::new("services:\n  a:\n    image: x:${TAG-none}\n    env_file: a.env\n    labels: {$TAG: $$}\n")
            .file("a.env", "TAG=1\n");
    assert_eq!(project.config("/services/a/image"), json!("x:none"));
    assert_eq!(project.config("/services/a/labels"), json!({"$TAG": "$"}));
    assert_eq!(project.config("/services/a/environment"), json!({"TAG": "1"}));
}

#[test]
fn another_environment_file_takes_the_place_of_dot_env() {
    let mut project = Project::new("services: {a: {image: 'x:$TAG'}}").file(".env", "TAG=1").file("prod.env", "TAG=2");
    project.request.env_file = Some("prod.env".into());
    assert_eq!(project.app().services["a"].image, "x:2");
    project.request.env_file = Some("none.env".into());
    assert_eq!(project.problems(), ["none.env: does not exist"]);
}

#[test]
fn the_project_name_is_a_variable() {
    let project = Project::new("services: {a: {image: 'x', hostname: $COMPOSE_PROJECT_NAME}}");
    assert_eq!(project.app().services["a"].hostname, "shop");
}
