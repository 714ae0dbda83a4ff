//! One file over another, `!reset`, `!override`, and merge keys.

use serde_json::{Value, json};

use super::Project;

/// Service `a` of one file over another, without what is always there.
fn merged(base: &str, over: &str) -> Value {
    let indent = |text: &str| format!("    {}\n", text.replace('\n', "\n    "));
    let file = |text: &str| format!("services:\n  a:\n{}", indent(text));
    let project = Project::new(&file(&format!("image: x\n{base}"))).over("over.yaml", &file(over));
    let mut service = project.config("/services/a");
    for key in ["command", "entrypoint", "networks"] {
        if service[key].is_null() || service[key] == json!({"default": null}) {
            service.as_object_mut().unwrap().shift_remove(key);
        }
    }
    if service["image"] == "x" {
        service.as_object_mut().unwrap().shift_remove("image");
    }
    service
}

#[test]
fn single_values_are_replaced_and_mappings_merged() {
    assert_eq!(merged("hostname: a", "image: y\nuser: u"), json!({"hostname": "a", "image": "y", "user": "u"}));
    assert_eq!(
        merged("healthcheck: {test: t, interval: 1s}", "healthcheck: {interval: 2s}"),
        json!({"healthcheck": {"test": ["CMD-SHELL", "t"], "interval": "2s"}})
    );
}

#[test]
fn commands_and_tests_are_replaced_as_a_whole() {
    assert_eq!(merged("command: [a, b]", "command: [c]"), json!({"command": ["c"]}));
    assert_eq!(merged("entrypoint: [a, b]", "entrypoint: c"), json!({"entrypoint": ["c"]}));
    assert_eq!(
        merged("healthcheck: {test: [CMD, a]}", "healthcheck: {test: [CMD, b]}"),
        json!({"healthcheck": {"test": ["CMD", "b"]}})
    );
}

#[test]
fn environments_and_labels_merge_by_key_in_either_form() {
    let expected = json!({"environment": {"A": "1", "B": "3", "C": "4"}});
    assert_eq!(merged("environment: {A: 1, B: 2}", "environment: {B: 3, C: 4}"), expected);
    assert_eq!(merged("environment: [A=1, B=2]", "environment: {B: 3, C: 4}"), expected);
    assert_eq!(merged("environment: {A: 1, B: 2}", "environment: [B=3, C=4]"), expected);
    assert_eq!(merged("labels: {a: 1}", "labels: [a=2, b]"), json!({"labels": {"a": "2", "b": ""}}));
}

#[test]
fn ports_are_joined_and_the_same_port_counts_once() {
    let ports = |value: &Value| -> Vec<String> {
        let ports = value["ports"].as_array().unwrap();
        ports.iter().map(|port| format!("{}:{}", port["published"].as_str().unwrap_or(""), port["target"])).collect()
    };
    assert_eq!(ports(&merged("ports: ['80:80']", "ports: ['81:80']")), ["80:80", "81:80"]);
    assert_eq!(ports(&merged("ports: ['80:80']", "ports: ['80:80', '443:443']")), ["80:80", "443:443"]);
    assert_eq!(ports(&merged("ports: ['80:80']", "ports: [{target: 80, published: 80}]")), ["80:80"]);
}

#[test]
fn a_mount_replaces_the_one_with_the_same_target() {
    let merged = merged("volumes: ['./a:/data', './b:/more']", "volumes: ['./c:/data:ro']");
    assert_eq!(
        merged["volumes"],
        json!([
            {"type": "bind", "source": "@/c", "target": "/data", "read_only": true, "bind": {}},
            {"type": "bind", "source": "@/b", "target": "/more", "bind": {}},
        ])
    );
}

#[test]
fn lists_are_joined() {
    assert_eq!(merged("dns: 1.1.1.1", "dns: [8.8.8.8]"), json!({"dns": ["1.1.1.1", "8.8.8.8"]}));
    assert_eq!(merged("cap_add: [A, B]", "cap_add: [B, C]"), json!({"cap_add": ["A", "B", "C"]}));
    assert_eq!(merged("tmpfs: /a", "tmpfs: /b"), json!({"tmpfs": ["/a", "/b"]}));
    assert_eq!(
        merged("extra_hosts: ['a=1.1.1.1']", "extra_hosts: {b: 2.2.2.2}"),
        json!({"extra_hosts": ["a=1.1.1.1", "b=2.2.2.2"]})
    );
    assert_eq!(merged("expose: [80]", "expose: ['80', 81]"), json!({"expose": ["80", "81"]}));
}

#[test]
fn a_limit_is_replaced_as_a_whole() {
    assert_eq!(
        merged("ulimits: {nproc: 1, nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 3}"),
        json!({"ulimits": {"nofile": 3, "nproc": 1}})
    );
}

#[test]
fn a_build_written_short_merges_with_one_written_long() {
    assert_eq!(
        merged("build: app", "build: {args: {A: 1}, target: prod}")["build"],
        json!({"context": "@/app", "dockerfile": "Dockerfile", "args": {"A": "1"}, "target": "prod"})
    );
}

#[test]
fn options_of_another_log_driver_are_not_kept() {
    let base = "logging: {driver: json-file, options: {max-size: 1m}}";
    assert_eq!(
        merged(base, "logging: {options: {max-file: 3}}")["logging"],
        json!({"driver": "json-file", "options": {"max-file": "3", "max-size": "1m"}})
    );
    assert_eq!(
        merged(base, "logging: {driver: syslog, options: {tag: x}}")["logging"],
        json!({"driver": "syslog", "options": {"tag": "x"}})
    );
}

#[test]
fn dependencies_merge_by_service() {
    let project = Project::new("services: {a: {image: x, depends_on: [b]}, b: {image: x}, c: {image: x}}")
        .over("over.yaml", "services: {a: {depends_on: {c: {condition: service_healthy}}}}");
    assert_eq!(
        project.config("/services/a/depends_on"),
        json!({
            "b": {"condition": "service_started", "required": true},
            "c": {"condition": "service_healthy", "required": true},
        })
    );
}

#[test]
fn networks_of_a_service_merge_by_name() {
    let project =
        Project::new("services: {a: {image: x, networks: [one]}}\nnetworks: {one: {}, two: {driver: bridge}}")
            .over("over.yaml", "services: {a: {networks: {two: {aliases: [z]}}}}\nnetworks: {two: {internal: true}}");
    assert_eq!(project.config("/services/a/networks"), json!({"one": null, "two": {"aliases": ["z"]}}));
    assert_eq!(
        project.config("/networks/two"),
        json!({"name": "shop_two", "driver": "bridge", "ipam": {}, "internal": true})
    );
}

#[test]
fn reset_removes_and_override_replaces() {
    assert_eq!(merged("hostname: a\nports: ['80:80']", "ports: !reset []"), json!({"hostname": "a"}));
    assert_eq!(merged("dns: [1.1.1.1]", "dns: !override [8.8.8.8]"), json!({"dns": ["8.8.8.8"]}));
    assert_eq!(
        merged("environment: {A: 1, B: 2}", "environment: {A: !reset null, C: 3}"),
        json!({"environment": {"B": "2", "C": "3"}})
    );
    assert_eq!(merged("user: a", "user: !reset null"), json!({}));
}

#[test]
fn a_mapping_cannot_override_a_list() {
    let project = Project::new("services: {a: {image: x, cap_add: [A]}}")
        .over("over.yaml", "services:\n  a:\n    cap_add: {b: c}\n");
    let problems = project.load().unwrap_err();
    assert_eq!(problems[0].to_string(), "over.yaml:3:14: services.a.cap_add: a mapping cannot override a list");
    assert_eq!(problems[0].hint.as_deref(), Some("the other value is in compose.yaml, line 1"));
}

#[test]
fn several_documents_in_a_file_are_merged_like_files() {
    let project = Project::new("services: {a: {image: x}}\n---\nservices: {a: {user: u}}\n");
    assert_eq!((project.app().services["a"].image.as_str(), project.app().services["a"].user.as_str()), ("x", "u"));
}

#[test]
fn merge_keys_fill_in_what_is_not_set() {
    let project = Project::new(
        "x-base: &base {image: x, user: base, labels: {a: 1}}
x-more: &more {user: more, hostname: more}
services:
  a:
    <<: *base
    user: own
  b:
    <<: [*base, *more]
",
    );
    let app = project.app();
    assert_eq!((app.services["a"].image.as_str(), app.services["a"].user.as_str()), ("x", "own"));
    assert_eq!((app.services["b"].user.as_str(), app.services["b"].hostname.as_str()), ("base", "more"));
}
