//! `docker` and its methods against a real engine.

mod containers;
mod crash;
mod exec;
mod images;
mod networks;
mod plan;
mod registry;
mod run;
mod send;

use runbook::primitive::{Failure, Outcome, handle};
use serde_json::{Value, json};

use crate::harness::{Direct, Lab};

/// A project with an engine.
struct Bench {
    lab: Lab,
    direct: Direct,
}

impl Bench {
    fn start() -> Option<Self> {
        Some(Self { lab: Lab::start()?, direct: Direct::new() })
    }

    /// Calls a method of the local engine's handle.
    fn call(&self, method: &str, args: Value, options: Value) -> Result<Outcome, Failure> {
        let (method, docker) = (format!("docker.{method}"), handle("docker", json!({})));
        let result = self.direct.method(&method, docker.clone(), args.clone(), options.clone());
        self.direct.clean_up(&method, docker, args, options);
        result
    }
}

#[test]
fn an_engine_that_is_down_is_said_by_every_method() {
    let direct = Direct::new();
    let docker = direct.call(crate::harness::primitive("docker"), json!(["unix:///nowhere.sock"]), json!({})).unwrap();
    for (method, args) in [("version", json!([])), ("containers", json!([])), ("pull", json!(["app:1"]))] {
        let failure = direct.method(&format!("docker.{method}"), docker.value.clone(), args, json!({})).unwrap_err();
        assert_eq!(failure.message, "no Docker engine at `unix:///nowhere.sock`: there is no such socket");
    }
}

#[test]
fn an_engine_describes_itself() {
    let Some(bench) = Bench::start() else { return };
    let version = bench.call("version", json!([]), json!({})).unwrap().value;
    assert!(version["version"].is_string() && version["api_version"].is_string(), "{version}");
    let usage = bench.call("disk_usage", json!([]), json!({})).unwrap().value;
    assert!(usage["images"].as_u64().unwrap() >= 1, "{usage}");
}
