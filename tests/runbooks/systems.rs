//! The systems, deployed in their demo environment from the runbooks as they are; only names and ports are a test's own.

use std::path::Path;
use std::process::Command;

use super::demo_images;
use crate::harness::ports::Port;
use crate::harness::{Lab, Project};

/// A copy of `runbooks/` with some of its systems.
pub struct System {
    _lab: Lab,
    pub project: Project,
    names: Vec<String>,
    ports: Vec<(&'static str, Port)>,
}

impl System {
    pub fn new(lab: Lab, folders: &[&str], ports: &[&'static str]) -> Self {
        let names: Vec<String> = folders.iter().map(|folder| lab.name(folder)).collect();
        let ports: Vec<(&str, Port)> = ports.iter().map(|port| (*port, Port::hold())).collect();
        let own = |text: String| {
            let named = folders.iter().zip(&names).fold(text, |text, (folder, name)| {
                text.replace(&format!("compose(\"{folder}\""), &format!("compose(\"{name}\""))
                    .replace(&format!("{folder}-demo"), name)
            });
            let named = named.split_inclusive('\n').map(|line| declared(line, folders, &names)).collect();
            ports.iter().fold(named, |text: String, (port, own)| text.replace(port, &own.number().to_string()))
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
        let mut project = Project::new();
        for file in ["runbook.toml", "remove-demo.rhai", "demo.secrets"] {
            project = project.file(file, &own(std::fs::read_to_string(root.join(file)).unwrap()));
        }
        for (folder, extension) in folders.iter().map(|folder| (*folder, "")).chain([("demo-app", "rhai")]) {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() && path.extension().unwrap_or_default().to_string_lossy().ends_with(extension) {
                    let file = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
                    project = project.file(&file, &own(std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        Self { _lab: lab, project, names, ports }
    }

    pub fn health(&self, port: &str) -> String {
        let port = self.ports.iter().find(|(known, _)| *known == port).unwrap().1.number();
        let output = Command::new("curl").args(["-s", &format!("http://127.0.0.1:{port}/health")]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What answers about its health, by the port in the runbook's own environment; not everything speaks HTTP.
    pub fn answers(&self) -> Vec<String> {
        self.ports.iter().map(|(port, _)| format!("{port}: {}", self.health(port))).collect()
    }

    /// The names of the compose projects.
    pub fn projects(&self) -> &[String] {
        &self.names
    }

    /// Containers of the projects, with their images' ids.
    pub fn containers(&self) -> Vec<(String, String)> {
        let all = self.each_project(|label| docker(&["ps", "-a", "--filter", label, "--format", "{{.Names}}"]));
        all.into_iter()
            .map(|name| (name.clone(), docker(&["inspect", "--format", "{{.Image}}", &name]).trim().to_owned()))
            .collect()
    }

    /// Volumes or networks of the projects.
    pub fn others(&self, kind: &str) -> Vec<String> {
        self.each_project(|label| docker(&[kind, "ls", "--filter", label, "--format", "{{.Name}}"]))
    }

    /// Who holds a lock of one of the projects on the engine.
    pub fn locks(&self) -> Vec<String> {
        let locks = docker(&["ps", "-a", "--filter", "label=runbook.lock", "--format", "{{.Names}}"]);
        let is_mine = |lock: &&str| self.names.iter().any(|name| lock.contains(name.as_str()));
        locks.split_whitespace().filter(is_mine).map(str::to_owned).collect()
    }

    /// The words that the engine says of each project, which a label stands for; sorted.
    fn each_project(&self, ask: impl Fn(&str) -> String) -> Vec<String> {
        let label = |name: &String| format!("label=com.docker.compose.project={name}");
        let mut all: Vec<String> = self
            .names
            .iter()
            .flat_map(|name| ask(&label(name)).split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        all.sort();
        all
    }
}

impl System {
    /// Takes everything off the engine, as if the machine were gone. A volume that a restore made has no label of its system.
    pub fn lose(&self) {
        for (name, _) in self.containers() {
            docker(&["rm", "-f", "-v", &name]);
        }
        for kind in ["volume", "network"] {
            let named = |name: &String| docker(&[kind, "ls", "-q", "--filter", &format!("name={name}")]);
            let named = self.names.iter().map(named).collect::<String>();
            for thing in named.split_whitespace().map(str::to_owned).chain(self.others(kind)) {
                docker(&[kind, "rm", &thing]);
            }
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.lose();
    }
}

/// A line of a header with the projects' own names where it declares them.
fn declared(line: &str, folders: &[&str], names: &[String]) -> String {
    let Some(needs) = line.strip_prefix("//! @needs docker") else { return line.to_owned() };
    let (docker, rest) = needs.split_at(needs.find(';').unwrap_or(needs.len()));
    let own = folders
        .iter()
        .zip(names)
        .fold(docker.to_owned(), |text, (folder, name)| text.replace(&format!(" {folder}"), &format!(" {name}")));
    format!("//! @needs docker{own}{rest}")
}

/// What `docker ARGUMENTS…` prints.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_chat_bot_is_deployed_left_alone_replaced_put_back_and_rolled_back() {
    let Some(lab) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, &["stupidbot"], &["18080", "13000"]);
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
    let system = System::new(lab, &["dnd-helper"], &["18090", "15432", "16379"]);
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
    let second = system.containers();
    run(&["dnd-helper/rollback.rhai"])
        .code(1)
        .says("does not fit the database as it is: a migration lies between")
        .says("0001 → 0002 (head) in `api`")
        .says("cannot be taken back: nobody said how")
        .says("no backup was made before");
    assert_eq!(system.containers(), second, "nothing was touched");
    // Taken back by the image that knows how, the release from before fits again.
    run(&["dnd-helper/rollback.rhai", "--downgrade", "-1"]).success();
    assert!(system.health("18090").contains(r#""version":"1""#));
    assert_eq!(system.containers(), first);
}

#[test]
fn a_placeholder_in_the_environment_file_stops_before_anything_starts() {
    let Some(lab) = demo_images::databases() else { return };
    let system = System::new(lab, &["dnd-helper"], &["18090", "15432", "16379"]);
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

#[test]
fn chatsphere_is_set_up_built_from_a_tag_replaced_put_back_and_rolled_back() {
    let Some(lab) = demo_images::databases() else { return };
    let Some(_apps) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, &["chatsphere"], &["18100", "18101"]);
    let run = |arguments: &[&str]| system.project.runbook(&[&["run"], arguments, &["--env", "demo"]].concat());
    let deploy = |tag: &str| run(&["chatsphere/deploy.rhai", "--tag", tag]);

    run(&["chatsphere/setup.rhai"]).success();
    let written = system.project.read("chatsphere/.env");
    assert!(written.contains("DB_PASSWORD=") && written.contains("SECRET_KEY="), "{written}");
    run(&["chatsphere/setup.rhai"]).success().says("nothing changed");
    assert_eq!(system.project.read("chatsphere/.env"), written, "no password is made anew");

    deploy("v1").success().says("3 created, 2 unchanged").says("run in backend: alembic upgrade head");
    assert!(system.health("18100").contains(r#""version":"1""#));
    let first = system.containers();
    deploy("v1").success().says("nothing changed, everything is as the files say");
    assert_eq!(system.containers(), first);

    deploy("v2").success();
    assert!(system.health("18100").contains(r#""version":"2""#));
    let second = system.containers();
    deploy("v3-broken").code(1).says("failed its health gate").says("put the previous release back");
    assert!(system.health("18100").contains(r#""version":"2""#));
    assert_eq!(system.containers(), second, "the second version serves again, by its image's id");

    // The broken version left its migration behind, beside that of the second one.
    run(&["chatsphere/rollback.rhai"])
        .code(1)
        .says("does not fit the database as it is: 2 migrations lie between")
        .says("0001 → 0002 (head) in `backend`")
        .says("0002 → 0003 (head) in `backend`")
        .says("cannot be taken back: nobody said how")
        .says("`data: \"keep\"` goes back all the same");
    assert_eq!(system.containers(), second, "nothing was touched");
    run(&["chatsphere/rollback.rhai", "--data", "keep"]).success().says("cannot be taken back");
    assert!(system.health("18100").contains(r#""version":"1""#));
    let password = "4vQ7pX2mKd9sTz5wLr8n";
    for run in 1..=8 {
        system.project.runbook(&["show", &run.to_string(), "--calls"]).never_says(password);
    }
}
