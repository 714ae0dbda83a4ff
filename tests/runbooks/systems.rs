//! The systems, deployed in their demo environment from the runbooks as they are; only names and ports are a test's own.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::demo_images;
use crate::harness::{Lab, Project};

/// A copy of `runbooks/` for one system.
struct System {
    _lab: Lab,
    project: Project,
    name: String,
    ports: Vec<(&'static str, String)>,
}

impl System {
    fn new(lab: Lab, folder: &str, ports: &[&'static str]) -> Self {
        let name = lab.name(folder);
        // Held until all are found, so that no two are the same.
        let free: Vec<_> = ports.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let free = free.iter().map(|listener| listener.local_addr().unwrap().port().to_string());
        let ports: Vec<(&str, String)> = ports.iter().copied().zip(free).collect();
        let own = |text: String| {
            let text = text.replace(&format!("compose(\"{folder}\""), &format!("compose(\"{name}\""));
            let text = text.replace(&format!("{folder}-demo"), &name);
            ports.iter().fold(text, |text, (port, own)| text.replace(port, own))
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
        let mut project =
            Project::new().file("runbook.toml", &own(std::fs::read_to_string(root.join("runbook.toml")).unwrap()));
        for (folder, extension) in [(folder, ""), ("demo-app", "rhai")] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() && path.extension().unwrap_or_default().to_string_lossy().ends_with(extension) {
                    let file = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
                    project = project.file(&file, &own(std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        Self { _lab: lab, project, name, ports }
    }

    fn health(&self, port: &str) -> String {
        let port = &self.ports.iter().find(|(known, _)| *known == port).unwrap().1;
        let output = Command::new("curl").args(["-s", &format!("http://127.0.0.1:{port}/health")]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Containers of the project, with their images' ids.
    fn containers(&self) -> Vec<(String, String)> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let names = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
        let mut found: Vec<_> = names
            .split_whitespace()
            .map(|name| (name.to_owned(), docker(&["inspect", "--format", "{{.Image}}", name]).trim().to_owned()))
            .collect();
        found.sort();
        found
    }
}

impl Drop for System {
    fn drop(&mut self) {
        for (name, _) in self.containers() {
            docker(&["rm", "-f", "-v", &name]);
        }
        let filter = format!("label=com.docker.compose.project={}", self.name);
        for kind in ["volume", "network"] {
            for id in docker(&[kind, "ls", "-q", "--filter", &filter]).split_whitespace() {
                docker(&[kind, "rm", id]);
            }
        }
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_chat_bot_is_deployed_left_alone_replaced_put_back_and_rolled_back() {
    let Some(lab) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, "stupidbot", &["18080", "13000"]);
    let deploy = |tag: &str| system.project.runbook(&["run", "stupidbot/deploy.rhai", "--env", "demo", "--tag", tag]);

    deploy("1").success().says("2 created");
    assert_eq!(system.health("18080"), r#"{"status":"healthy","version":"1","database":"connected"}"#);
    let first = system.containers();

    deploy("1").success().says("nothing changed, everything is as the files say").says("— nothing changed");
    assert_eq!(system.containers(), first);

    deploy("2").success().says("2 recreated");
    assert_eq!(system.health("18080"), r#"{"status":"healthy","version":"2","database":"connected"}"#);
    let second = system.containers();

    deploy("3-broken")
        .code(1)
        .says("failed its health gate")
        .says("The requested URL returned error: 503")
        .says("GET /health 503")
        .says("put the previous release back")
        .says("1 recreated, 1 unchanged, verified");
    assert_eq!(system.health("18080"), r#"{"status":"healthy","version":"2","database":"connected"}"#);
    assert_eq!(system.containers(), second, "the second version serves again, by its image's id");

    system.project.runbook(&["run", "stupidbot/rollback.rhai", "--env", "demo"]).success().says("verify what runs");
    assert_eq!(system.health("18080"), r#"{"status":"healthy","version":"1","database":"connected"}"#);
    assert_eq!(system.containers(), first);
}

#[test]
fn dnd_helper_is_deployed_migrated_seeded_twice_and_rolled_back() {
    let Some(lab) = demo_images::databases() else { return };
    let Some(_apps) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, "dnd-helper", &["18090", "15432", "16379"]);
    let run = |arguments: &[&str]| system.project.runbook(&[&["run"], arguments, &["--env", "demo"]].concat());

    run(&["dnd-helper/deploy.rhai"])
        .success()
        .says("run in api: alembic upgrade head")
        .says("4 of 4 containers running");
    run(&["dnd-helper/seed.rhai"]).success().says("inserted").never_says("info: 0 inserted");
    run(&["dnd-helper/seed.rhai"]).success().says("info: 0 inserted, 0 updated");
    let first = system.containers();

    run(&["dnd-helper/deploy.rhai", "--api-tag", "2"]).success().says("1 recreated, 3 unchanged");
    assert!(system.health("18090").contains(r#""version":"2""#));
    run(&["dnd-helper/rollback.rhai"]).success();
    assert!(system.health("18090").contains(r#""version":"1""#));
    assert_eq!(system.containers(), first);
}

#[test]
fn a_placeholder_in_the_environment_file_stops_before_anything_starts() {
    let Some(lab) = demo_images::databases() else { return };
    let system = System::new(lab, "dnd-helper", &["18090", "15432", "16379"]);
    let env = system.project.path().join("dnd-helper/demo.env");
    let text = std::fs::read_to_string(&env).unwrap();
    std::fs::write(&env, text.replace("demo-only-on-loopback", "short").replace("redis://redis:6379/0", "nonsense"))
        .unwrap();
    let ran = system.project.runbook(&["run", "dnd-helper/deploy.rhai", "--env", "demo"]).code(1);
    ran.says("POSTGRES_PASSWORD").says("REDIS_URL").says("demo.env:");
    assert_eq!(system.containers(), []);
}

#[test]
fn every_runbook_here_passes_check_in_every_environment() {
    let output = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["check", "--all-envs"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
