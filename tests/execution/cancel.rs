//! Ctrl-C and the time limit.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::Project;

#[test]
fn ctrl_c_stops_a_wait_undoes_and_ends_with_130() {
    let script = "undo(\"tidy up\", || { sleep(\"10ms\"); file(\"undone\").write(\"yes\") });\nfile(\"ready\").write(\"yes\");\nsleep(\"10m\");";
    let project = Project::script(script);
    let ready = project.path().join("ready");
    let (ran, took) = project.interrupted(&["run", "test.rhai"], Signal::INT, || ready.exists());
    ran.code(130).says("cancelled");
    assert_eq!(project.read("undone"), "yes");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_script_cannot_catch_its_own_cancellation() {
    let script =
        "file(\"ready\").write(\"yes\");\nloop { try { sleep(\"10m\") } catch (error) { info(\"swallowed\") } }";
    let project = Project::script(script);
    let ready = project.path().join("ready");
    let (ran, _) = project.interrupted(&["run", "test.rhai"], Signal::TERM, || ready.exists());
    ran.code(130).never_says("swallowed");
}

#[test]
fn a_computation_is_interrupted_too() {
    let script = "file(\"ready\").write(\"yes\");\nloop { }";
    let project = Project::script(script);
    let ready = project.path().join("ready");
    let (ran, took) = project.interrupted(&["run", "test.rhai"], Signal::INT, || ready.exists());
    ran.code(130);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn the_time_limit_undoes_and_fails() {
    let script = "//! @timeout 200ms\nundo(\"tidy up\", || info(\"undone\"));\nsleep(\"10m\");";
    Project::script(script).run().code(1).says("the run's time limit passed").says("info: undone");
}

/// Accepts connections and never answers, as a registry does whose network is gone.
fn silent_registry() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn ctrl_c_during_a_pull_undoes_and_leaves_no_lock() {
    let Some(lab) = crate::harness::Lab::start() else { return };
    let (registry, address) = silent_registry();
    let compose = format!("services:\n  api:\n    image: {address}/shop/api:1\n");
    let script = format!(
        "//! @lock deploy/{{env}}\nlet app = compose(\"{}\", #{{ files: [\"compose.yaml\"] }});\n\
         undo(\"tidy up\", || file(\"undone\").write(\"yes\"));\nfile(\"ready\").write(\"yes\");\napp.pull();",
        lab.name("pull")
    );
    let project = Project::script(&script).file("compose.yaml", &compose);
    let accepted = std::cell::Cell::new(false);
    registry.set_nonblocking(true).unwrap();
    let connections = std::cell::RefCell::new(Vec::new());
    let asked = || {
        if let Ok((connection, _)) = registry.accept() {
            connections.borrow_mut().push(connection);
            accepted.set(true);
        }
        accepted.get()
    };
    let (ran, took) = project.interrupted(&["run", "test.rhai"], Signal::INT, asked);
    ran.code(130).says("cancelled");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(project.read("undone"), "yes");
    let project = project.file("test.rhai", "//! @lock deploy/{env}\ninfo(\"free\");");
    project.run().success().says("info: free");
}
