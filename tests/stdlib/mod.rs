//! The standard library, through the built binary: runbooks as users write them.

mod backup;
mod certificate;
mod db;
mod deploy;
mod drill;
mod drill_host;
mod drill_job;
mod health;
mod migrations;
mod options;
mod plan;
mod proxy;
mod recover;
mod rollback;

use serde_json::Value;

use crate::harness::{Lab, Project, Ran};

/// A project with a compose application of its own, and runbooks that import the library.
struct Site {
    lab: Lab,
    project: Project,
    name: String,
    port: u16,
}

/// An application that tells its version and whether it is well.
const APP: &str = "services:
  api:
    image: IMAGE
    command: sh -c 'mkdir -p /www; echo VERSION > /www/health; START'
    stop_grace_period: 0s
    ports: ['127.0.0.1:PORT:8000']
    healthcheck: { test: [CMD, wget, -q, -O-, 'http://127.0.0.1:8000/health'], interval: 300ms, retries: 3 }
    volumes: ['data:/data']
volumes: { data: {} }
";

impl Site {
    /// `None`, said aloud, when there is no engine here.
    fn new(script: &str) -> Option<Self> {
        let lab = Lab::start()?;
        let name = lab.name("site");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = script.replace("NAME", &name).replace("PORT", &port.to_string());
        let site = Self { lab, project: Project::script(&script), name, port };
        site.version("1", "exec httpd -f -p 8000 -h /www");
        Some(site)
    }

    /// Another version of the application, started this way.
    fn version(&self, version: &str, start: &str) {
        let text = APP
            .replace("IMAGE", "runbook-test/busybox:1")
            .replace("VERSION", version)
            .replace("START", start)
            .replace("PORT", &self.port.to_string());
        std::fs::write(self.project.path().join("compose.yaml"), text).unwrap();
    }

    /// Another runbook of the project.
    fn script(&self, file: &str, text: &str) {
        let text = text.replace("NAME", &self.name).replace("PORT", &self.port.to_string());
        std::fs::write(self.project.path().join(file), text).unwrap();
    }

    /// A version that exits before it serves.
    fn broken(&self, version: &str) {
        self.version(version, "echo no column named price >&2; exit 4");
    }

    fn run(&self) -> Ran {
        self.project.run()
    }

    /// What the application answers now.
    fn answers(&self) -> String {
        let url = "http://127.0.0.1:8000/health";
        self.lab.exec(&format!("{}-api-1", self.name), &["wget", "-q", "-O-", url]).1.trim().to_owned()
    }

    fn api(&self) -> Value {
        self.lab.run(self.lab.engine.inspect(&format!("{}-api-1", self.name))).unwrap().id.into()
    }
}
