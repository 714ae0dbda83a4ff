//! Every primitive × granted, absent, narrowed, denied, wrong environment: no effect without a grant. Each case goes through
//! the built binary and its door; what the calls could reach is watched from outside.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runbook::drivers::backup::Repository;
use serde_json::Value;

use super::table::{Example, REPOSITORIES, examples, on_a_host};
use crate::harness::http::{Reply, Server};
use crate::harness::{Project, Ran};

/// A port that counts who comes, and hangs up: what is asked of it fails, but was asked.
struct Watched {
    place: String,
    visits: Arc<AtomicUsize>,
}

impl Watched {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let visits = Arc::new(AtomicUsize::new(0));
        let count = visits.clone();
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { place, visits }
    }
}

const GRANTS: &str =
    "docker * ; docker * remove_volume; command *; http *; read /**; write /**; env *; secret *; http http://SERVER";

const GRANTS_ON_THE_COMMAND_LINE: &str = "docker *; command *; http *; read /**; write /**; env *; secret *";

/// What the calls ended with, by the primitive's name: `ok`, or the kind of the failure.
fn ended(ran: &Ran) -> BTreeMap<String, String> {
    let lines = ran.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let texts =
        lines.filter(|event| event["event"] == "log").filter_map(|event| event["line"].as_str().map(str::to_owned));
    let pairs = texts.filter_map(|line| {
        let (name, how) = line.strip_prefix("MATRIX ")?.split_once(' ')?;
        Some((name.to_owned(), how.to_owned()))
    });
    pairs.collect()
}

/// A literal of the script; what a check could read in it is hidden behind a call, so that only the door can judge it.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("v({text:?})"),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{key:?}: {}", literal(value)));
            format!("#{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn expression(example: &Example) -> String {
    // What only reads the description needs nothing in the project, and a grant outside of it.
    let only_reads = matches!(example.name, "compose.check_env" | "compose.config" | "compose.service");
    let file = if only_reads { "OUTSIDE/compose.yaml" } else { "compose.yaml" };
    let app = format!("compose(v(\"shop\"), #{{ files: [v({file:?})], engine: v(\"tcp://ENGINE\") }})");
    let (receiver, method) = example.name.split_once('.').unwrap_or(("", example.name));
    let receiver = match receiver {
        "" => None,
        "compose" => Some(app.clone()),
        "docker" => Some("docker(v(\"tcp://ENGINE\"))".to_owned()),
        "ssh" => Some("ssh(v(\"x@ENGINE\"))".to_owned()),
        "armed" => Some("v(ssh(v(\"x@ENGINE\"))).arm(v(\"true\"))".to_owned()),
        "remote_disk" => Some("v(ssh(v(\"x@ENGINE\"))).disk_free(v(\"/\"))".to_owned()),
        "git" => Some("git(v(\"OUTSIDE\"))".to_owned()),
        "env_file" => Some("env_file(v(\"OUTSIDE/put\"), #{ A: v(\"1\") })".to_owned()),
        "folder" if example.name == "folder.create" => Some("folder(v(\"OUTSIDE/new\"))".to_owned()),
        kind => Some(format!("{kind}(v(\"OUTSIDE/{}\"))", if kind == "file" { "secret" } else { "folder" })),
    };
    // Nor does a check know what handle it is.
    let receiver = receiver.map(|receiver| format!("v({receiver}).")).unwrap_or_default();
    let mut arguments: Vec<String> = match example.name {
        "compose.running_is" => vec![format!("v({app}).release()")],
        "ssh.forward" => vec!["80".to_owned(), "|port| ()".to_owned()],
        _ => example.args.as_array().unwrap().iter().map(literal).collect(),
    };
    if example.options.as_object().is_some_and(|options| !options.is_empty()) {
        arguments.push(literal(&example.options));
    }
    format!("{receiver}{method}({})", arguments.join(", "))
}

/// What is in a folder, at any depth: the names, and what files hold.
fn held(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        all.insert(path.clone(), std::fs::read(&path).unwrap_or_default());
        if path.is_dir() {
            all.extend(held(&path));
        }
    }
    all
}

/// What a run came to.
struct Came {
    /// How each call ended, by its name.
    kinds: BTreeMap<String, String>,
    /// How often the engine, the host and the server were asked.
    visits: usize,
    /// Is everything outside of the project as it was?
    is_untouched: bool,
}

/// One run that makes these calls, each failure caught: only what was refused for want of a grant is `refused`.
fn run(calls: &[Example], header: &str, policy: Option<&str>, arguments: &[&str]) -> Came {
    let (engine, server) = (Watched::new(), Server::start(|_| Reply::text(200, "ok")));
    let project = Project::new()
        .env("CANARY", "sung")
        .env("STORE", "correct horse battery")
        .file("project/compose.yaml", "services: { web: { image: x } }\n");
    let outside = project.path().join("outside");
    std::fs::create_dir_all(outside.join("folder/inner")).unwrap();
    std::fs::write(outside.join("secret"), "kept\n").unwrap();
    std::fs::write(outside.join("compose.yaml"), "services: { web: { image: x } }\n").unwrap();
    for repository in ["store", "other"] {
        Repository::init(outside.join(repository), "correct horse battery").unwrap();
    }
    let lines = calls.iter().fold(String::new(), |text, example| {
        let name = example.name;
        let call = format!(
            "try {{ {}; info(\"MATRIX {name} ok\"); }} catch (error) {{ info(`MATRIX {name} ${{how(error)}}`); }}\n",
            expression(example)
        );
        text + call.as_str()
    });
    let how = "fn how(error) { if error.kind == \"refused\" && !error.message.contains(\"` needs `\") { \"failed\" } else { error.kind } }";
    let script = format!("{header}fn v(x) {{ x }}\n{how}\n{lines}")
        .replace("OUTSIDE", outside.to_str().unwrap())
        .replace("ENGINE", &engine.place)
        .replace("SERVER", &server.place());
    let project = project.file("project/test.rhai", &script);
    let settings = format!("[env.dev]\n[env.prod]\n{REPOSITORIES}").replace("OUTSIDE", outside.to_str().unwrap());
    let project = project.file("project/runbook.toml", &settings);
    let project = policy
        .into_iter()
        .fold(project, |project, text| project.file("project/policy.toml", &text.replace("SERVER", &server.place())));
    let before = held(&outside);
    let ran = project.runbook(&[&["run", "project/test.rhai", "--env", "dev", "--json"], arguments].concat());
    let kinds = ended(&ran);
    assert_eq!(kinds.len(), calls.len(), "{}\n{}", ran.stderr, ran.stdout);
    let visits = engine.visits.load(Ordering::SeqCst) + server.asked().len();
    Came { kinds, visits, is_untouched: held(&outside) == before }
}

fn header(needs: &str) -> String {
    format!("//! Matrix.\n//! @needs {needs}\n")
}

fn allowing(environment: &str, deny: &str) -> String {
    let quoted =
        |grants: &str| grants.split(';').map(|grant| format!("{:?}", grant.trim())).collect::<Vec<_>>().join(", ");
    let deny = if deny.is_empty() { String::new() } else { quoted(deny) };
    format!("[env.{environment}]\nallow = [\"host *\", {}]\ndeny = [{deny}]\n", quoted(GRANTS))
}

/// No call had an effect: all were refused, nobody was asked, and no file is another one.
fn nothing_happened(what: &str, calls: &[Example], header: &str, policy: Option<&str>, arguments: &[&str]) {
    let came = run(calls, header, policy, arguments);
    let got_through: Vec<_> = came.kinds.iter().filter(|(_, kind)| *kind != "refused").collect();
    assert!(got_through.is_empty(), "{what}: {got_through:?}");
    assert_eq!(came.visits, 0, "{what}: somebody was asked");
    assert!(came.is_untouched, "{what}: a file is another one");
}

#[test]
fn with_a_grant_every_call_gets_through() {
    let declared = header(&format!("host *; {GRANTS}"));
    let came = run(&examples(), &declared, Some(&allowing("dev", "")), &[]);
    let refused: Vec<_> = came.kinds.iter().filter(|(_, kind)| *kind == "refused").collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert!(came.visits > 40, "the engine and the server are asked: {}", came.visits);
    for name in ["backup", "backup_check", "backup_copy", "backup_forget", "backup_prune", "restore", "file.write"] {
        assert_eq!(came.kinds[name], "ok", "{name}");
    }
    let came = run(&on_a_host(), &declared, Some(&allowing("dev", "")), &[]);
    assert!(came.kinds.values().all(|kind| kind != "refused") && came.visits > 4, "{} {:?}", came.visits, came.kinds);
}

#[test]
fn what_is_not_declared_has_no_effect() {
    nothing_happened("absent", &examples(), &header("host *"), None, &[]);
    nothing_happened("no host", &on_a_host(), &header(GRANTS), None, &[]);
}

#[test]
fn what_the_command_line_leaves_out_has_no_effect() {
    let (declared, granted) = (header(&format!("host *; {GRANTS}")), allowing("dev", ""));
    nothing_happened("narrowed", &examples(), &declared, Some(&granted), &["--only", "host *"]);
    nothing_happened("no host", &on_a_host(), &declared, Some(&granted), &["--only", GRANTS_ON_THE_COMMAND_LINE]);
}

#[test]
fn what_is_denied_has_no_effect_whoever_grants_it() {
    let declared = header(&format!("host *; {GRANTS}"));
    nothing_happened("denied", &examples(), &declared, Some(&allowing("dev", GRANTS)), &[]);
    nothing_happened("denied host", &on_a_host(), &declared, Some(&allowing("dev", "host *")), &[]);
    let came = run(&examples(), &declared, Some(&allowing("dev", "")), &["--deny", "docker *; write /**"]);
    assert_eq!(came.kinds["docker.stop"], "refused");
    assert_eq!(came.kinds["backup_prune"], "refused");
    assert_ne!(came.kinds["file.read"], "refused");
}

#[test]
fn what_another_environment_grants_has_no_effect() {
    let declared = header(&format!("host *; {GRANTS}"));
    let policy = allowing("prod", "") + "[env.dev]\nallow = [\"host *\"]\n";
    nothing_happened("wrong environment", &examples(), &declared, Some(&policy), &[]);
    let policy = allowing("prod", "") + "[env.dev]\nallow = [\"command *\"]\n";
    nothing_happened("a host of another environment", &on_a_host(), &declared, Some(&policy), &[]);
}
