//! One call of every primitive, from which the matrix and the injections are made.

use runbook::primitive::{Effect, Need, Needs};
use runbook::project::ProjectFile;
use serde_json::{Value, json};

/// A call: what it is called on is known by the primitive's name.
pub struct Example {
    /// `file.write`.
    pub name: &'static str,
    pub args: Value,
    pub options: Value,
}

/// Primitives that reach nothing: they compute, arrange other calls, talk to the person, or name a thing.
pub const FREE: &[&str] = &[
    "always",
    "confirm",
    "disk_free",
    "docker",
    "file",
    "folder",
    "git",
    "disk.at_least",
    "info",
    "lock",
    "now",
    "parallel",
    "param",
    "random",
    "retry",
    "rolling",
    "secret.base64",
    "secret.bcrypt",
    "secret.htpasswd",
    "secret.sha256",
    "secret.url_encode",
    "secret_eq",
    "secret_join",
    "sleep",
    "ssh",
    "step",
    "this_machine",
    "to_json",
    "undo",
    "wait_until",
    "warn",
];

/// The repositories of backups that the calls name.
pub const REPOSITORIES: &str = "[backup.main]\npath = 'OUTSIDE/store'\npassword = 'STORE'\nkeep = { last = 9 }\n\
                                [backup.offsite]\npath = 'OUTSIDE/other'\npassword = 'STORE'\n";

/// Primitives that need nothing granted but the host they are about, each with a call of it.
pub fn on_a_host() -> Vec<Example> {
    let call = |name, args| Example { name, args, options: json!({}) };
    vec![
        call("ssh.disk_free", json!(["/"])),
        call("ssh.facts", json!([])),
        call("ssh.port_open", json!([80])),
        call("ssh.forward", json!([80, { "$block": 0 }])),
        call("armed.confirm", json!([])),
        call("armed.revert", json!([])),
        call("remote_disk.at_least", json!(["1GiB"])),
    ]
}

/// Primitives that reach something, each with a call of it. `OUTSIDE` stands for a folder outside of the project.
pub fn examples() -> Vec<Example> {
    let mut all = of_backups();
    all.extend([
        call("env_file", json!(["OUTSIDE/env", { "A": "1" }]), json!({})),
        call("env_file.put_back", json!([]), json!({})),
        call("env_var", json!(["CANARY"]), json!({})),
        call("http_check", json!(["http://SERVER/"]), json!({})),
        call("secret", json!(["CANARY"]), json!({})),
        call("sh", json!([["touch", "OUTSIDE/sh"]]), json!({})),
        call("template", json!([{ "text": "x" }, {}]), json!({ "to": "OUTSIDE/template" })),
        call("file.read", json!([]), json!({})),
        call("file.lines", json!([]), json!({})),
        call("file.exists", json!([]), json!({})),
        call("file.size", json!([]), json!({})),
        call("file.checksum", json!([]), json!({})),
        call("file.write", json!(["changed"]), json!({})),
        call("file.append_line", json!(["changed"]), json!({})),
        call("file.copy", json!(["OUTSIDE/copy"]), json!({})),
        call("file.remove", json!([]), json!({})),
        call("folder.exists", json!([]), json!({})),
        call("folder.list", json!([]), json!({})),
        call("folder.create", json!([]), json!({})),
        call("folder.remove", json!([]), json!({ "outside": true, "recursive": true })),
        call("git.revision", json!([]), json!({})),
        call("git.branch", json!([]), json!({})),
        call("git.is_clean", json!([]), json!({})),
        call("git.changes", json!([]), json!({})),
        call("git.tags", json!([]), json!({})),
        call("git.describe", json!([]), json!({})),
        call("git.checkout", json!(["HEAD", "OUTSIDE/checkout"]), json!({})),
        call("docker.containers", json!([]), json!({})),
        call("docker.inspect", json!(["web"]), json!({})),
        call("docker.start", json!(["web"]), json!({})),
        call("docker.stop", json!(["web"]), json!({})),
        call("docker.restart", json!(["web"]), json!({})),
        call("docker.remove", json!(["web"]), json!({})),
        call("docker.rename", json!(["web", "old"]), json!({})),
        call("docker.wait_healthy", json!(["web"]), json!({ "within": "1s" })),
        call("docker.logs", json!(["web"]), json!({})),
        call("docker.run", json!(["busybox", ["true"]]), json!({ "volumes": ["OUTSIDE:/o"] })),
        call("docker.exec", json!(["web", ["true"]]), json!({})),
        call("docker.copy_in", json!(["web", "OUTSIDE/secret", "/tmp"]), json!({})),
        call("docker.copy_out", json!(["web", "/etc/passwd", "OUTSIDE/out"]), json!({})),
        call("docker.image", json!(["busybox"]), json!({})),
        call("docker.images", json!([]), json!({})),
        call("docker.tag", json!(["busybox", "mine:1"]), json!({})),
        call("docker.remove_image", json!(["busybox"]), json!({})),
        call("docker.prune_images", json!([]), json!({})),
        call("docker.pull", json!(["busybox"]), json!({})),
        call("docker.push", json!(["127.0.0.1:9/busybox"]), json!({})),
        call("docker.send_image", json!(["busybox"]), json!({ "from": "tcp://127.0.0.1:9" })),
        call("docker.build", json!(["OUTSIDE"]), json!({ "tags": ["mine:1"] })),
        call("docker.networks", json!([]), json!({})),
        call("docker.create_network", json!(["net"]), json!({})),
        call("docker.remove_network", json!(["net"]), json!({})),
        call("docker.volumes", json!([]), json!({})),
        call("docker.create_volume", json!(["data"]), json!({})),
        call("docker.remove_volume", json!(["data"]), json!({})),
        call("docker.version", json!([]), json!({})),
        call("docker.disk_usage", json!([]), json!({})),
        call("compose", json!(["shop"]), json!({ "files": ["OUTSIDE/compose.yaml"] })),
        call("compose.build", json!([]), json!({})),
        call("compose.check_env", json!([]), json!({})),
        call("compose.config", json!([]), json!({})),
        call("compose.down", json!([]), json!({})),
        call("compose.exec", json!(["web", ["true"]]), json!({})),
        call("compose.restart", json!([]), json!({})),
        call("compose.start", json!([]), json!({})),
        call("compose.start_dependencies", json!(["web"]), json!({})),
        call("compose.stop", json!([]), json!({})),
        call("compose.logs", json!(["web"]), json!({})),
        call("compose.ps", json!([]), json!({})),
        call("compose.pull", json!([]), json!({})),
        call("compose.last_good", json!([]), json!({})),
        call("compose.crossed", json!([1]), json!({})),
        call("compose.migrating", json!(["web", ["true"]]), json!({})),
        call("compose.migrated", json!([1]), json!({})),
        call("compose.release", json!([]), json!({})),
        call("compose.releases", json!([]), json!({})),
        call("compose.running_is", json!([{ "$kind": "release" }]), json!({})),
        call("compose.run", json!(["web", ["true"]]), json!({})),
        call("compose.service", json!(["web"]), json!({})),
        call("compose.up", json!([]), json!({})),
        call("ssh.exec", json!([["true"]]), json!({})),
        call("ssh.shell", json!(["true"]), json!({})),
        call("ssh.read", json!(["/etc/hostname"]), json!({})),
        call("ssh.write", json!(["OUTSIDE/written", "text"]), json!({})),
        call("ssh.template", json!([{ "text": "x" }, {}]), json!({ "to": "OUTSIDE/template" })),
        call("ssh.upload", json!(["OUTSIDE/secret", "OUTSIDE/up"]), json!({})),
        call("ssh.download", json!(["/etc/hostname", "OUTSIDE/down"]), json!({})),
        call("ssh.arm", json!(["true"]), json!({})),
        call("ssh.directory", json!(["OUTSIDE/made"]), json!({})),
        call("ssh.user", json!(["deploy"]), json!({})),
        call("ssh.packages", json!([["nginx"]]), json!({})),
        call("ssh.service", json!(["nginx"]), json!({})),
        call("ssh.cron_line", json!(["name", "@yearly true"]), json!({})),
        call("ssh.firewall", json!([["22/tcp"]]), json!({})),
    ]);
    all
}

fn of_backups() -> Vec<Example> {
    vec![
        call("backup", json!(["OUTSIDE/folder"]), json!({ "to": "main" })),
        call("backup_import", json!(["OUTSIDE/secret"]), json!({ "to": "main" })),
        call(
            "bucket_link",
            json!([{ "bucket": "http://SERVER/media", "access_key": "CANARY", "secret_key": "CANARY" }, "a"]),
            json!({}),
        ),
        call("backup_check", json!([]), json!({ "repository": "main" })),
        call("backup_copy", json!(["offsite"]), json!({ "from": "main" })),
        call(
            "backup_drill_record",
            json!([{ "drill": "a", "job": "shop", "began": "2026-11-29T05:00:00Z", "ok": false }]),
            json!({ "repository": "main" }),
        ),
        call("backup_find", json!(["latest"]), json!({ "from": "main" })),
        call("sqlite_query", json!(["OUTSIDE/secret", "SELECT 1"]), json!({})),
        call("backup_drilled", json!([{ "snapshot": "0" }]), json!({ "repository": "main" })),
        call("backup_forget", json!([]), json!({ "repository": "main" })),
        call("backup_prune", json!([]), json!({ "repository": "main" })),
        call("restore", json!(["latest", "OUTSIDE/restored"]), json!({ "from": "main" })),
    ]
}

fn call(name: &'static str, args: Value, options: Value) -> Example {
    Example { name, args, options }
}

#[test]
fn every_primitive_is_in_the_table_and_says_what_it_needs() {
    use crate::harness::Direct;
    let (examples, on_a_host) = (examples(), on_a_host());
    let file = ProjectFile::parse(REPOSITORIES, "shop").unwrap();
    let names: Vec<String> = runbook::primitives::specs().iter().map(|spec| spec.qualified_name()).collect();
    let listed = FREE.iter().copied().chain(examples.iter().chain(&on_a_host).map(|example| example.name));
    let unknown = listed.filter(|name| !names.iter().any(|known| known == name));
    let mut problems: Vec<String> = unknown.map(|name| format!("there is no `{name}` any more")).collect();
    for primitive in runbook::primitives::all() {
        let name = primitive.spec().qualified_name();
        let example = examples.iter().chain(&on_a_host).find(|example| example.name == name);
        let Some(example) = example else {
            if !FREE.contains(&name.as_str()) {
                problems
                    .push(format!("`{name}` has no example in tests/policy/table.rs, and is not among the free ones"));
            } else if matches!(primitive.spec().effect, Effect::Change | Effect::Destroy) {
                problems.push(format!("`{name}` changes something, and can be among the free ones no more"));
            }
            continue;
        };
        Direct::new().look_on(primitive, receiver(&name), example.args.clone(), |_, call| {
            let options = serde_json::from_str(&example.options.to_string().replace("OUTSIDE", "/outside")).unwrap();
            let call = runbook::primitive::Call { options, ..copy(call) };
            let needs = Needs::of(primitive, &call, &file).certain;
            if on_a_host.iter().any(|example| example.name == name) {
                assert_eq!(needs, [Need::host("web")], "{name}");
            } else if needs.is_empty() {
                problems.push(format!("`{name}` needs nothing although it is not among the free ones"));
            }
        });
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn copy(call: &runbook::primitive::Call) -> runbook::primitive::Call {
    runbook::primitive::Call {
        receiver: call.receiver.clone(),
        args: call.args.clone(),
        options: call.options.clone(),
        blocks: Vec::new(),
        site: call.site.clone(),
    }
}

/// A handle of the kind that a method is called on.
pub fn receiver(name: &str) -> Value {
    match name.split_once('.').map(|(kind, _)| kind) {
        Some("file") => json!({ "$kind": "file", "path": "OUTSIDE/secret" }),
        Some("env_file") => {
            json!({ "$kind": "env_file", "path": "OUTSIDE/secret", "changed": true, "created": true, "previous": null })
        }
        Some("ssh") => json!({ "$kind": "ssh", "name": "web" }),
        Some("armed") => json!({ "$kind": "armed", "name": "web", "key": "k", "within": "1m" }),
        Some("remote_disk") => json!({ "$kind": "remote_disk", "name": "web", "path": "/" }),
        Some("folder") => json!({ "$kind": "folder", "path": "OUTSIDE/folder" }),
        Some("git") => json!({ "$kind": "git", "path": "OUTSIDE" }),
        Some("docker") => json!({ "$kind": "docker", "host": "tcp://ENGINE" }),
        Some("compose") => json!({
            "$kind": "compose", "name": "shop", "files": ["OUTSIDE/compose.yaml"], "directory": ".", "engine": "tcp://ENGINE",
        }),
        _ => Value::Null,
    }
}
