//! `compose` and its methods against a real engine.

mod afar;
mod commands;
mod crash;
mod down;
mod environment;
mod files;
mod gate;
mod given;
mod images;
mod labels;
mod migrations;
mod monitor;
mod moves;
mod older;
mod plan;
mod release;
mod replace;
mod roll;
mod rolling;
mod secrets;
mod up;

use std::net::TcpListener;
use std::time::Duration;

use runbook::drivers::docker::{Container, ContainerSummary};
use runbook::primitive::{Failure, Outcome};
use serde_json::{Value, json};

use crate::harness::{Direct, Lab, primitive};

/// A project folder with a compose application of its own.
struct Shop {
    lab: Lab,
    direct: Direct,
    project: String,
}

impl Shop {
    /// `None`, said aloud, when there is no engine here.
    fn new(compose: &str) -> Option<Self> {
        let lab = Lab::start()?;
        let project = lab.name("shop");
        let shop = Self { lab, direct: Direct::new(), project };
        shop.write(compose);
        Some(shop)
    }

    /// Replaces the compose file; `BASE` stands for an image with a shell.
    fn write(&self, compose: &str) {
        self.direct.write("compose.yaml", &compose.replace("BASE", "runbook-test/busybox:1"));
    }

    fn handle(&self, options: Value) -> Value {
        self.direct.call(primitive("compose"), json!([self.project]), options).unwrap().value
    }

    /// Calls a method of the application.
    fn try_call(&self, method: &str, args: Value, options: Value) -> Result<Outcome, Failure> {
        let (method, handle) = (format!("compose.{method}"), self.handle(json!({})));
        let result = self.direct.method(&method, handle.clone(), args.clone(), options.clone());
        self.direct.clean_up(&method, handle, args, options);
        result
    }

    #[track_caller]
    fn call(&self, method: &str, args: Value, options: Value) -> Outcome {
        self.try_call(method, args, options).unwrap_or_else(|failure| panic!("{method}: {failure:?}"))
    }

    #[track_caller]
    fn fails(&self, method: &str, args: Value, options: Value) -> Failure {
        match self.try_call(method, args, options) {
            Ok(outcome) => panic!("{method} went well: {}", outcome.value),
            Err(failure) => failure,
        }
    }

    #[track_caller]
    fn up(&self) -> Outcome {
        self.call("up", json!([]), json!({ "wait": "30s" }))
    }

    /// What `up` did to each service: `api recreated`.
    fn actions(outcome: &Outcome) -> Vec<String> {
        let services = outcome.value["services"].as_object().unwrap();
        services.iter().map(|(name, service)| format!("{name} {}", service["action"].as_str().unwrap())).collect()
    }

    /// The container of a service.
    #[track_caller]
    fn container(&self, service: &str) -> Container {
        self.lab.run(self.lab.engine.inspect(&format!("{}-{service}-1", self.project))).unwrap()
    }

    /// Every container of the project, by name without the project's.
    fn containers(&self) -> Vec<String> {
        let label = format!("com.docker.compose.project={}", self.project);
        let found: Vec<ContainerSummary> = self.lab.run(self.lab.engine.containers(&[label])).unwrap();
        let lead = format!("{}-", self.project);
        found.iter().map(|found| format!("{} {}", found.name.trim_start_matches(&lead), found.state)).collect()
    }

    fn exec(&self, service: &str, command: &[&str]) -> (i64, String) {
        self.lab.exec(&format!("{}-{service}-1", self.project), command)
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// All evidence in one text.
fn evidence(failure: &Failure) -> String {
    failure.evidence.iter().map(|item| format!("[{}]\n{}\n", item.title, item.text)).collect::<Vec<_>>().concat()
}

/// Five times what a thing should take at most.
const SLACK: Duration = Duration::from_secs(10);
