//! Telling people, with real receivers.

mod backups;
mod hours;
mod mail;
mod outbox;
mod story;
mod tries;
mod words;

use std::path::Path;

use runbook::journal::{Journal, Notice};
use serde_json::Value;

use crate::harness::Project;
use crate::harness::http::{Reply, Server};

/// A runbook that fails when it is told to.
pub const RUNBOOK: &str = "//! Deploys the shop.\n//! @param fails: bool = false\nstep(\"migrate\", || {\n    \
    if param(\"fails\") { sh([\"sh\", \"-c\", \"echo the table is locked >&2; exit 3\"]); }\n});\n";

/// A project that tells of everything on the channels that this text declares.
pub fn project(notify: &str) -> Project {
    Project::new()
        .file("deploy.rhai", RUNBOOK)
        .file("runbook.toml", &format!("[project]\nname = \"shop\"\n[env.prod]\n{notify}"))
}

/// A receiver that takes everything.
pub fn receiver() -> Server {
    Server::start(|_| Reply::text(200, "ok"))
}

/// The bodies that came to that path.
pub fn bodies(server: &Server, path: &str) -> Vec<Value> {
    let asked = server.asked();
    asked.iter().filter(|asked| asked.path == path).map(|asked| serde_json::from_str(&asked.body).unwrap()).collect()
}

pub fn notices(project: &Path) -> Vec<Notice> {
    Journal::open(&project.join(".runbook")).unwrap().notices(100).unwrap()
}
