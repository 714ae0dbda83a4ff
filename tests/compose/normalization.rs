//! Short syntaxes, scalars, defaults and paths.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Project, environment, shown};

/// One key of service `a`, as configured.
fn key(name: &str, text: &str) -> Value {
    let project = Project::new(&format!("services:\n  a:\n    image: x\n    {name}: {text}\nvolumes: {{data: }}\n"));
    project.config(&format!("/services/a/{name}"))
}

#[test]
fn scalars_in_an_environment_follow_go_yaml() {
    let project = Project::new(
        "services:
  a:
    image: x
    environment:
      OCTAL: 017
      FLOAT: 1.10
      YES: yes
      BOOL: True
      BIG: 1000000.0
      QUOTED: '017'
      EMPTY: ''
      INHERITED: ~
      MISSING:
",
    )
    .set("INHERITED", "from outside");
    let expected = [
        ("BIG", Some("1e+06")),
        ("BOOL", Some("true")),
        ("EMPTY", Some("")),
        ("FLOAT", Some("1.1")),
        ("INHERITED", Some("from outside")),
        ("MISSING", None),
        ("OCTAL", Some("15")),
        ("QUOTED", Some("017")),
        ("YES", Some("yes")),
    ];
    let expected: BTreeMap<String, Option<String>> =
        expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).into();
    assert_eq!(environment(&project), expected);
}

#[test]
fn environment_files_are_below_the_environment_and_later_ones_win() {
    let project = Project::new(
        "services:
  a:
    image: x
    env_file: [one.env, {path: two.env, required: false}, {path: none.env, required: false}]
    environment: [A=own, D]
",
    )
    .file("one.env", "A=1\nB=1\nC=$A\nE=$HOST\n")
    .file("two.env", "B=2\n")
    .set("HOST", "h");
    let expected = [("A", Some("own")), ("B", Some("2")), ("C", Some("own")), ("D", None), ("E", Some("h"))];
    let expected: BTreeMap<String, Option<String>> =
        expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).into();
    assert_eq!(environment(&project), expected);
    assert_eq!(project.config("/services/a/env_file"), Value::Null);
}

#[test]
fn ports_are_written_out() {
    let port = |published: &str, target: u16| json!({"mode": "ingress", "target": target, "published": published, "protocol": "tcp"});
    assert_eq!(key("ports", "['8080:80', 90-91:80-81]"), json!([port("8080", 80), port("90", 80), port("91", 81)]));
    assert_eq!(key("ports", "[80]"), json!([{"mode": "ingress", "target": 80, "protocol": "tcp"}]));
    assert_eq!(
        key("ports", "['127.0.0.1:53:53/udp']"),
        json!([{"mode": "ingress", "host_ip": "127.0.0.1", "target": 53, "published": "53", "protocol": "udp"}])
    );
    assert_eq!(
        key("ports", "[{target: 80, published: 8080, mode: host, name: web, app_protocol: http}]"),
        json!([{"name": "web", "mode": "host", "target": 80, "published": "8080", "protocol": "tcp", "app_protocol": "http"}])
    );
}

#[test]
fn volumes_are_written_out() {
    assert_eq!(
        key("volumes", "['data:/data', './site:/srv:ro', /cache, '/etc/hosts:/etc/hosts:z']"),
        json!([
            {"type": "volume", "source": "data", "target": "/data", "volume": {}},
            {"type": "bind", "source": "@/site", "target": "/srv", "read_only": true, "bind": {}},
            {"type": "volume", "target": "/cache", "volume": {}},
            {"type": "bind", "source": "/etc/hosts", "target": "/etc/hosts", "bind": {"selinux": "z"}},
        ])
    );
    assert_eq!(
        key("volumes", "[{type: tmpfs, target: /tmp/, tmpfs: {size: 64m, mode: 0o1777}}]"),
        json!([{"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": "67108864", "mode": 1023}}])
    );
    assert_eq!(
        key("volumes", "[{type: bind, source: ../up, target: /up, bind: {create_host_path: false}}]")[0]["bind"],
        json!({"create_host_path": false})
    );
}

#[test]
fn commands_and_health_checks_take_texts_and_lists() {
    assert_eq!(key("command", "redis-server --appendonly yes"), json!(["redis-server", "--appendonly", "yes"]));
    assert_eq!(key("command", "[\"a b\", c]"), json!(["a b", "c"]));
    assert_eq!(key("command", "[]"), json!([]));
    assert_eq!(key("command", ""), Value::Null);
    assert_eq!(
        key("healthcheck", "{test: curl -f localhost, interval: 30s, timeout: 1m30s, retries: 3, start_period: 0.5s}"),
        json!({
            "test": ["CMD-SHELL", "curl -f localhost"], "timeout": "1m30s", "interval": "30s", "retries": 3,
            "start_period": "500ms",
        })
    );
    assert_eq!(key("healthcheck", "{test: [NONE]}"), json!({"test": ["NONE"]}));
    assert_eq!(key("healthcheck", "{disable: true}"), json!({"disable": true}));
}

#[test]
fn a_command_that_needs_a_shell_is_cut_as_compose_cuts_it_and_warned_about() {
    let project = Project::new("services:\n  a:\n    image: x\n    command: migrate && serve\n");
    let app = project.app();
    assert_eq!(app.services["a"].command, Some(vec!["migrate".to_owned()]));
    assert_eq!(
        shown(&app.warnings),
        ["compose.yaml:4:14: services.a.command: `&& serve` is ignored, because no shell runs this: use `sh -c '…'`"]
    );
}

#[test]
fn an_entry_that_another_one_of_the_same_file_replaces_is_warned_about() {
    let project = Project::new(
        "services:\n  a:\n    image: x\n    environment:\n      - A=1\n      - A=2\n    volumes: ['/a:/x', '/b:/x']\n    cap_add: [A, A]\n",
    );
    assert_eq!(
        shown(&project.app().warnings),
        [
            "compose.yaml:6:9: services.a.environment[1]: replaces the entry for the same thing in line 5",
            "compose.yaml:7:24: services.a.volumes[1]: replaces the entry for the same thing in line 7",
        ]
    );
}

#[test]
fn sizes_times_and_numbers_are_normalized() {
    assert_eq!(key("mem_limit", "512m"), json!("536870912"));
    assert_eq!(key("shm_size", "1gb"), json!("1073741824"));
    assert_eq!(key("cpus", "'0.5'"), json!(0.5));
    assert_eq!(key("cpus", "2"), json!(2));
    assert_eq!(key("stop_grace_period", "1m"), json!("1m0s"));
    assert_eq!(
        key("ulimits", "{nproc: 65535, nofile: {soft: 10, hard: 20}}"),
        json!({"nofile": {"soft": 10, "hard": 20}, "nproc": 65535})
    );
    assert_eq!(
        key("deploy", "{replicas: 2, resources: {limits: {cpus: '0.50', memory: 1G}, reservations: {memory: 64M}}}"),
        json!({
            "replicas": 2,
            "resources": {"limits": {"cpus": 0.5, "memory": "1073741824"}, "reservations": {"memory": "67108864"}},
            "placement": {},
        })
    );
}

#[test]
fn devices_hosts_and_files_are_written_out() {
    assert_eq!(
        key("devices", "['/dev/a', '/dev/a:/dev/b:r']"),
        json!([
            {"source": "/dev/a", "target": "/dev/a", "permissions": "rwm"},
            {"source": "/dev/a", "target": "/dev/b", "permissions": "r"},
        ])
    );
    assert_eq!(key("extra_hosts", "['b:1.1.1.1', 'a=[::1]']"), json!(["a=::1", "b=1.1.1.1"]));
    let project = Project::new(
        "services: {a: {image: x, secrets: [token], configs: [{source: nginx, target: /etc/nginx.conf, mode: 0440}]}}
secrets: {token: {file: ./token.txt}}
configs: {nginx: {content: 'listen $PORT'}}
",
    )
    .set("PORT", "80");
    assert_eq!(project.config("/services/a/secrets"), json!([{"source": "token", "target": "/run/secrets/token"}]));
    assert_eq!(
        project.config("/services/a/configs"),
        json!([{"source": "nginx", "target": "/etc/nginx.conf", "mode": "0440"}])
    );
    assert_eq!(project.config("/secrets/token"), json!({"name": "shop_token", "file": "@/token.txt"}));
    assert_eq!(project.app().configs["nginx"].value.as_deref(), Some("listen 80"));
}

#[test]
fn a_build_gets_its_defaults() {
    assert_eq!(key("build", "."), json!({"context": "@", "dockerfile": "Dockerfile"}));
    assert_eq!(
        key("build", "{context: app, args: [A=1, B], dockerfile: prod.Dockerfile}"),
        json!({"context": "@/app", "dockerfile": "prod.Dockerfile", "args": {"A": "1"}})
    );
    assert_eq!(key("build", "https://example.com/app.git#main")["context"], json!("https://example.com/app.git#main"));
}

#[test]
fn networks_and_volumes_get_their_names() {
    let project = Project::new(
        "services: {a: {image: x}, b: {image: x, networks: [front]}}
networks: {front: , shared: {external: true}, named: {name: other}, old: {external: {name: older}}}
volumes: {data: , kept: {external: true, name: prod-data}}
",
    );
    let app = project.app();
    let networks: BTreeMap<&str, &str> =
        app.networks.iter().map(|(key, network)| (key.as_str(), network.name.as_str())).collect();
    let expected = [
        ("default", "shop_default"),
        ("front", "shop_front"),
        ("named", "other"),
        ("old", "older"),
        ("shared", "shared"),
    ];
    assert_eq!(networks, expected.into());
    assert_eq!((app.volumes["data"].name.as_str(), app.volumes["kept"].name.as_str()), ("shop_data", "prod-data"));
    assert!(app.volumes["kept"].external && app.networks["old"].external);
    assert_eq!(app.used_networks().into_keys().collect::<Vec<_>>(), ["default", "front"]);
    assert!(app.used_volumes().is_empty());
}

#[test]
fn there_is_no_default_network_when_nobody_uses_it() {
    let project = Project::new("services: {a: {image: x, network_mode: host}}");
    assert!(project.app().networks.is_empty());
}

#[test]
fn a_shared_namespace_is_a_dependency() {
    let project = Project::new("services: {a: {image: x, network_mode: 'service:b'}, b: {image: x}}");
    assert_eq!(
        project.config("/services/a/depends_on"),
        json!({"b": {"condition": "service_started", "restart": true, "required": true}})
    );
}

#[test]
fn the_name_of_the_project_is_asked_for_or_written_or_the_folder() {
    let mut project = Project::new("name: Written-${X-1}\nservices: {a: {image: x}}");
    assert_eq!(project.app().name, "shop");
    project.request.project.clear();
    assert_eq!(project.app().name, "written-1");
    let project = project.file("compose.yaml", "services: {a: {image: x}}").file(".env", "COMPOSE_PROJECT_NAME=env\n");
    assert_eq!(project.app().name, "env");
}

#[test]
fn version_and_extensions_are_no_mistakes() {
    let project = Project::new("version: '3.8'\nx-a: {b: [1]}\nservices: {a: {image: x, x-note: y}}");
    assert_eq!(project.config("/x-a"), json!({"b": [1]}));
    assert!(project.app().warnings.is_empty());
}
