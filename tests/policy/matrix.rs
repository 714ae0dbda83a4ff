//! Every primitive × granted, absent, narrowed, denied, wrong environment: no effect without a grant. Each case goes through
//! the built binary and its door; what the calls could reach is watched from outside.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::table::{Example, examples};
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
        "git" => Some("git(v(\"OUTSIDE\"))".to_owned()),
        "env_file" => Some("env_file(v(\"OUTSIDE/put\"), #{ A: v(\"1\") })".to_owned()),
        "folder" if example.name == "folder.create" => Some("folder(v(\"OUTSIDE/new\"))".to_owned()),
        kind => Some(format!("{kind}(v(\"OUTSIDE/{}\"))", if kind == "file" { "secret" } else { "folder" })),
    };
    // Nor does a check know what handle it is.
    let receiver = receiver.map(|receiver| format!("v({receiver}).")).unwrap_or_default();
    let mut arguments: Vec<String> = match example.name {
        "compose.running_is" => vec![format!("v({app}).release()")],
        _ => example.args.as_array().unwrap().iter().map(literal).collect(),
    };
    if example.options.as_object().is_some_and(|options| !options.is_empty()) {
        arguments.push(literal(&example.options));
    }
    format!("{receiver}{method}({})", arguments.join(", "))
}

/// One run that makes every call, each failure caught: the kinds, and how often engine and server were asked.
fn run(header: &str, policy: Option<&str>, arguments: &[&str]) -> (BTreeMap<String, String>, usize, Project) {
    let (engine, server) = (Watched::new(), Server::start(|_| Reply::text(200, "ok")));
    let project =
        Project::new().env("CANARY", "sung").file("project/compose.yaml", "services: { web: { image: x } }\n");
    let outside = project.path().join("outside");
    std::fs::create_dir_all(outside.join("folder/inner")).unwrap();
    std::fs::write(outside.join("secret"), "kept\n").unwrap();
    std::fs::write(outside.join("compose.yaml"), "services: { web: { image: x } }\n").unwrap();
    let calls = examples().iter().fold(String::new(), |text, example| {
        let name = example.name;
        let call = format!(
            "try {{ {}; info(\"MATRIX {name} ok\"); }} catch (error) {{ info(`MATRIX {name} ${{error.kind}}`); }}\n",
            expression(example)
        );
        text + call.as_str()
    });
    let script = format!("{header}fn v(x) {{ x }}\n{calls}")
        .replace("OUTSIDE", outside.to_str().unwrap())
        .replace("ENGINE", &engine.place)
        .replace("SERVER", &server.place());
    let project = project.file("project/test.rhai", &script);
    let project = project.file("project/runbook.toml", "[env.dev]\n[env.prod]\n");
    let project = policy
        .into_iter()
        .fold(project, |project, text| project.file("project/policy.toml", &text.replace("SERVER", &server.place())));
    let ran = project.runbook(&[&["run", "project/test.rhai", "--env", "dev", "--json"], arguments].concat());
    let kinds = ended(&ran);
    assert_eq!(kinds.len(), examples().len(), "{}\n{}", ran.stderr, ran.stdout);
    let visits = engine.visits.load(Ordering::SeqCst) + server.asked().len();
    (kinds, visits, project)
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
fn nothing_happened(what: &str, (kinds, visits, project): (BTreeMap<String, String>, usize, Project)) {
    let got_through: Vec<_> = kinds.iter().filter(|(_, kind)| *kind != "refused").collect();
    assert!(got_through.is_empty(), "{what}: {got_through:?}");
    assert_eq!(visits, 0, "{what}: somebody was asked");
    let outside = project.path().join("outside");
    assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "kept\n", "{what}");
    let mut names: Vec<_> = outside.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["compose.yaml", "folder", "secret"], "{what}");
    assert!(outside.join("folder/inner").is_dir(), "{what}");
}

#[test]
fn with_a_grant_every_call_gets_through() {
    let declared = header(&format!("host *; {GRANTS}"));
    let (kinds, visits, _) = run(&declared, Some(&allowing("dev", "")), &[]);
    let refused: Vec<_> = kinds.iter().filter(|(_, kind)| *kind == "refused").collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert!(visits > 40, "the engine and the server are asked: {visits}");
}

#[test]
fn what_is_not_declared_has_no_effect() {
    nothing_happened("absent", run(&header("host *"), None, &[]));
}

#[test]
fn what_the_command_line_leaves_out_has_no_effect() {
    let declared = header(&format!("host *; {GRANTS}"));
    nothing_happened("narrowed", run(&declared, Some(&allowing("dev", "")), &["--only", "host *"]));
}

#[test]
fn what_is_denied_has_no_effect_whoever_grants_it() {
    let declared = header(&format!("host *; {GRANTS}"));
    nothing_happened("denied", run(&declared, Some(&allowing("dev", GRANTS)), &[]));
    let (kinds, ..) = run(&declared, Some(&allowing("dev", "")), &["--deny", "docker *; write /**"]);
    assert_eq!(kinds["docker.stop"], "refused");
    assert_ne!(kinds["file.read"], "refused");
}

#[test]
fn what_another_environment_grants_has_no_effect() {
    let declared = header(&format!("host *; {GRANTS}"));
    let policy = allowing("prod", "") + "[env.dev]\nallow = [\"host *\"]\n";
    nothing_happened("wrong environment", run(&declared, Some(&policy), &[]));
}
