use std::process::Command;

use super::project;
use crate::harness;

#[test]
fn the_unit_is_hardened() {
    let project = project("[project]\nname = \"shop\"\n").file("units/.keep", "");
    let units = project.path().join("units");
    project
        .runbook(&["service", "install", "--user", "deploy", "--to", units.to_str().unwrap()])
        .success()
        .says("runbook-shop.service")
        .says("systemctl enable --now runbook-shop.service");
    let text = project.read("units/runbook-shop.service");
    for line in ["Type=notify", "WatchdogSec=2min", "KillMode=mixed", "User=deploy", "StartLimitIntervalSec=0"] {
        assert!(text.lines().any(|found| found == line), "{line} is missing:\n{text}");
    }
    let unit = units.join("runbook-shop.service");
    let Ok(output) = Command::new("systemd-analyze").args(["security", "--offline=true"]).arg(&unit).output() else {
        harness::skip("systemd-analyze");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    let score: f64 = line.split(": ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(score <= 2.0, "{line}");
}
