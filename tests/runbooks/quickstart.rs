//! The runbook that needs nothing but this machine.

use std::path::Path;

use crate::harness::Project;

fn project() -> Project {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    Project::new()
        .file("quickstart.rhai", &text("quickstart.rhai"))
        .file("quickstart/index.html.j2", &text("quickstart/index.html.j2"))
}

#[test]
fn it_runs_twice_and_the_second_time_changes_nothing() {
    let project = project();
    project.runbook(&["run", "quickstart.rhai"]).success().says("changed something");
    assert!(project.read("quickstart/site/index.html").contains("Hello, world!"));
    project.runbook(&["run", "quickstart.rhai"]).success().says("nothing changed");
}

#[test]
fn told_to_fail_it_puts_the_old_page_back() {
    let project = project();
    project.runbook(&["run", "quickstart.rhai"]).success();
    project
        .runbook(&["run", "quickstart.rhai", "--name", "Ada", "--fail"])
        .code(1)
        .says("1 undo block put things back");
    assert!(project.read("quickstart/site/index.html").contains("Hello, world!"));
}
