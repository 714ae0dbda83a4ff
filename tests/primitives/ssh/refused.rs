//! A host that is not reached: nothing was begun there, and everybody who asks is told so.

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use crate::harness::sshd::{Sshd, keygen};
use crate::harness::{Project, Ran};
use rustix::process::Signal;

const CHANGES: &str = "ssh(\"web\").exec([\"touch\", \"/tmp/never\"]);\ninfo(\"went on\");\n";

fn project(entry: &str) -> Project {
    Project::script(CHANGES).file("runbook.toml", entry)
}

/// The run failed, is over, and has changed nothing.
fn nothing_begun(project: &Project, ran: Ran) {
    ran.says("nothing was begun on `web`")
        .says("nothing changed")
        .never_says("may have")
        .never_says("may run")
        .never_says("went on");
    project.runbook(&["runs", "--json"]).success().prints("\"failed\"");
    project.runbook(&["show", "1"]).success().never_says("doubt");
    project.runbook(&["resume"]).code(2).never_says("goes on");
}

#[test]
fn a_connection_that_is_refused_has_begun_nothing() {
    let project = project("[host.web]\naddress = \"127.0.0.1\"\nport = 1\nuser = \"me\"\n");
    nothing_begun(&project, project.run().code(1).says("the connection was refused"));
}

#[test]
fn a_name_that_nobody_knows_has_begun_nothing() {
    let project = project("[host.web]\naddress = \"no-such-host.invalid\"\nuser = \"me\"\n");
    nothing_begun(&project, project.run().code(1).says("while looking up"));
}

#[test]
fn a_host_with_another_key_has_begun_nothing() {
    let (Some(server), Some(other)) = (Sshd::start(), Sshd::start()) else { return };
    let pinned = format!("host_keys = [\"{}\"]\n", other.host_key("ed25519"));
    let project = project(&format!("{}{pinned}", server.entry_without_key("web", server.port())));
    nothing_begun(&project, project.run().code(1).says("key"));
}

#[test]
fn a_login_that_is_refused_has_begun_nothing() {
    let Some(server) = Sshd::start() else { return };
    keygen(&server.file("stranger"), "ed25519");
    let (id, stranger) = (server.file("id").display().to_string(), server.file("stranger").display().to_string());
    let project = project(&server.entry("web").replace(&id, &stranger));
    nothing_begun(&project, project.run().code(1).says("does not let"));
}

#[test]
fn a_run_that_is_cancelled_while_a_host_does_not_answer_leaves_nothing_running_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let entry = format!("[host.web]\naddress = \"127.0.0.1\"\nport = {port}\nuser = \"me\"\n");
    let (heard, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0]);
            let _ = heard.send(());
            std::mem::forget(client);
        }
    });
    let ready = || hears.try_recv().is_ok();
    let (ran, took) = project(&entry).interrupted(&["run", "test.rhai"], Signal::INT, ready);
    ran.says("nothing changed").never_says("may have").never_says("may run").never_says("told to stop");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn what_a_failing_host_has_not_begun_says_nothing_of_the_others() {
    let Some(server) = Sshd::start() else { return };
    let script = "try { ssh(\"web\").exec([\"true\"]); } catch {}\n\
                  parallel([|| ssh(\"web\").exec([\"true\"]), || { sleep(\"1s\"); ssh(\"gone\").exec([\"true\"]) }]);\n";
    let gone = "[host.gone]\naddress = \"127.0.0.1\"\nport = 1\nuser = \"me\"\n";
    let project = Project::script(script).file("runbook.toml", &(server.entry("web") + gone));
    project.run().code(1).says("nothing was begun on `gone`").says("2 calls may have changed something, 1 did not");
}
