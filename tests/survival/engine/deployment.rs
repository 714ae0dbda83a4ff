//! An application of two services, and the runbook that deploys it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::requests::{Answers, Requests, ask};
use crate::harness::{Lab, Project, Ran};

/// The API is replaced before the web server, and each answers its version. They listen in the network of this machine:
/// what answers is up to the containers alone, and neither to a daemon that forwards ports nor to a bridge.
const COMPOSE: &str = "services:
  api: &service
    image: IMAGE
    command: [httpd, -f, -p, 'API_LISTEN', -h, /www]
    stop_grace_period: 0s
    network_mode: host
    healthcheck: { test: [CMD, wget, -q, -O-, 'http://API_LISTEN/version'], interval: 200ms, timeout: 10s, retries: 100 }
    volumes: ['data:/data']
  web:
    <<: *service
    command: [httpd, -f, -p, 'WEB_LISTEN', -h, /www]
    healthcheck: { test: [CMD, wget, -q, -O-, 'http://WEB_LISTEN/version'], interval: 200ms, timeout: 10s, retries: 100 }
    depends_on: { api: { condition: service_healthy } }
volumes: { data: {} }
";

const DEPLOY: &str = r#"//! @lock deploy/{env}
import "std/deploy" as deploy;
deploy::compose(compose("NAME"), #{
    pull: false, disk: "1MiB", wait: "60s",
    migrate: ["sh", "-c", "echo migrating; sleep 0.4; echo once >> /data/migrations; sleep 0.4"], migrate_service: "api",
    url: ["http://127.0.0.1:API_PORT/version", "http://127.0.0.1:WEB_PORT/version"],
});
"#;

/// A project, deployed in version 1.
pub struct Deployment {
    pub lab: Lab,
    project: Project,
    pub name: String,
    ports: [u16; 2],
    images: [String; 2],
    /// How many deployments have migrated.
    pub migrations: usize,
    version: usize,
}

/// What each service answered.
pub struct Course {
    pub api: Answers,
    pub web: Answers,
}

impl Deployment {
    pub fn new(lab: Lab) -> Self {
        let image =
            |version: &str| lab.image("app", version, &format!("RUN mkdir /www && echo {version} > /www/version"));
        let images = [image("1"), image("2")];
        let listeners = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = listeners.map(|listener| listener.local_addr().unwrap().port());
        let name = lab.name("shop");
        let script = DEPLOY.replace("NAME", &name).replace("API_PORT", &ports[0].to_string());
        let project = Project::new().file("deploy.rhai", &script.replace("WEB_PORT", &ports[1].to_string()));
        let project = project.env("DOCKER_HOST", lab.engine.address());
        let mut this = Self { lab, project, name, ports, images, migrations: 0, version: 1 };
        this.next(1);
        this.runbook(&["run", "deploy.rhai"]).success();
        this.is_entirely(1);
        this
    }

    /// The files name this version now, and it will be migrated to.
    fn next(&mut self, version: usize) {
        let mut text = COMPOSE.replace("IMAGE", &self.images[version - 1]);
        for (service, port) in [("API", self.ports[0]), ("WEB", self.ports[1])] {
            text = text.replace(&format!("{service}_LISTEN"), &format!("127.0.0.1:{port}"));
        }
        self.project.file_now("compose.yaml", &text);
        self.version = version;
        self.migrations += 1;
    }

    /// The files name the other version now: its number, after that of the one that runs.
    pub fn change(&mut self) -> (usize, usize) {
        let before = self.version;
        self.next(3 - before);
        (before, self.version)
    }

    /// The deployment was taken back: the files name what runs.
    pub fn was_undone(&mut self, before: usize, migrations: usize) {
        self.version = before;
        self.migrations = migrations;
    }

    pub fn runbook(&self, arguments: &[&str]) -> Ran {
        self.project.runbook(arguments)
    }

    /// Begins a deployment whose events can be read.
    pub fn start(&self) -> Running {
        let mut command = self.project.command(&["run", "deploy.rhai", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines, names: std::collections::HashMap::new() }
    }

    /// Asks both services while `work` goes on.
    pub fn asked<T>(&self, work: impl FnOnce() -> T) -> (T, Course) {
        let [api, web] = self.ports.map(Requests::begin);
        std::thread::sleep(Duration::from_millis(200));
        let result = work();
        std::thread::sleep(Duration::from_millis(200));
        (result, Course { api: api.end("api"), web: web.end("web") })
    }

    /// What is wrong with the application: both services must run in this version, and there must be nothing else.
    pub fn wrong(&self, version: usize) -> Vec<String> {
        let mut wrong = Vec::new();
        let unless = |ok: bool, what: String| (!ok).then_some(what);
        let all = self.lab.run(self.lab.engine.containers(&[])).unwrap();
        let mut ours: Vec<_> = all.iter().filter(|found| found.name.contains(&self.name)).collect();
        ours.sort_by(|a, b| a.name.cmp(&b.name));
        let wanted = self.lab.run(self.lab.engine.image(&self.images[version - 1])).unwrap().unwrap().id;
        let shown: Vec<String> = ours
            .iter()
            .map(|found| {
                format!("{} {} {}", found.name, found.state, if found.image_id == wanted { "wanted" } else { "other" })
            })
            .collect();
        let expected = ["api", "web"].map(|service| format!("{}-{service}-1 running wanted", self.name));
        if shown != expected {
            return vec![format!("containers: {shown:?}")];
        }
        let answers = self.ports.map(|port| ask(port).unwrap_or_default());
        let is_version = answers.iter().all(|answer| *answer == version.to_string());
        wrong.extend(unless(is_version, format!("answers: {answers:?}")));
        let count = self.migrated();
        wrong.extend(unless(count == self.migrations, format!("{count} migrations instead of {}", self.migrations)));
        let locks: Vec<_> = self.lab.run(self.lab.engine.locks()).unwrap();
        let held: Vec<String> =
            locks.into_iter().filter(|lock| lock.name == self.name).map(|lock| lock.container).collect();
        wrong.extend(unless(held.is_empty(), format!("locks on the engine: {held:?}")));
        let log = rusqlite::Connection::open(self.project.path().join(".runbook/journal.sqlite")).unwrap();
        let leases: i64 =
            log.query_row("SELECT count(*) FROM lease WHERE run IS NOT NULL", [], |row| row.get(0)).unwrap();
        wrong.extend(unless(leases == 0, format!("{leases} locks in the run log")));
        wrong
    }

    /// How often the migration did its work.
    pub fn migrated(&self) -> usize {
        let (_, lines) = self.lab.exec(&format!("{}-api-1", self.name), &["cat", "/data/migrations"]);
        lines.lines().count()
    }

    /// Nothing is wrong.
    #[track_caller]
    pub fn is_entirely(&self, version: usize) {
        assert_eq!(self.wrong(version), [""; 0], "version {version} should run");
    }
}

/// A run and its events.
pub struct Running {
    pub child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    names: std::collections::HashMap<String, String>,
}

impl Running {
    /// Reads on until this moment. `false` when the run ended before.
    pub fn until(&mut self, moment: &str) -> bool {
        self.by_ref().any(|now| now == moment)
    }

    /// How it ended.
    pub fn end(self) -> Ran {
        let reader =
            std::thread::spawn(move || self.lines.map_while(Result::ok).map(|line| line + "\n").collect::<String>());
        let mut ran = Ran::from(self.child.wait_with_output().unwrap());
        ran.stdout = reader.join().unwrap();
        ran
    }
}

/// The moments of a run: `compose.up begins`, `api replacing`, `compose.up ends`.
impl Iterator for Running {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            let event: Value = serde_json::from_str(&self.lines.next()?.ok()?).unwrap();
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            match text("event").as_str() {
                "call_started" if event["effect"] != "flow" => {
                    self.names.insert(text("path"), text("name"));
                    return Some(format!("{} begins", text("name")));
                }
                "call_finished" => {
                    if let Some(name) = self.names.get(&text("path")) {
                        return Some(format!("{name} ends"));
                    }
                }
                "progress" => return Some(format!("{} {}", text("item"), text("doing"))),
                "log" if text("stream") == "stdout" => return Some(text("line")),
                _ => {}
            }
        }
    }
}
