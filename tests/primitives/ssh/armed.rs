//! What puts itself back unless somebody says in time that it stays.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{at, web};
use crate::harness::Direct;
use crate::harness::sshd::Sshd;
use runbook::primitive::FailureKind;

fn arm(here: &Direct, file: &Path, within: &str) -> Value {
    let script = format!("echo back >> '{}'", file.display());
    here.method("ssh.arm", web(here), json!([script]), json!({ "within": within })).unwrap().value
}

fn back(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn what_is_confirmed_stays_and_what_is_not_puts_itself_back() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let (kept, lost) = (server.file("kept"), server.file("lost"));
    let armed = arm(&here, &kept, "6s");
    let forgotten = arm(&here, &lost, "5s");
    here.method("armed.confirm", armed.clone(), json!([]), json!({})).unwrap();
    here.method("armed.confirm", armed.clone(), json!([]), json!({})).unwrap();
    let began = Instant::now();
    while back(&lost).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "it was never put back");
        std::thread::sleep(Duration::from_millis(100));
    }
    let failure = here.method("armed.confirm", forgotten, json!([]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check);
    assert!(failure.message.contains("has put itself back"), "{failure}");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((back(&kept), back(&lost)), (String::new(), "back\n".into()));
    let failure = here.method("armed.revert", armed, json!([]), json!({})).unwrap_err();
    assert!(failure.message.contains("was told that it stays"), "{failure}");
}

#[test]
fn it_is_put_back_at_once_and_only_once_when_that_is_wanted() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let file = server.file("file");
    let armed = arm(&here, &file, "5s");
    here.method("armed.revert", armed.clone(), json!([]), json!({})).unwrap();
    here.method("armed.revert", armed, json!([]), json!({})).unwrap();
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(back(&file), "back\n");
    let script = json!(["echo no >&2; exit 3"]);
    let armed = here.method("ssh.arm", web(&here), script, json!({})).unwrap().value;
    let failure = here.method("armed.revert", armed, json!([]), json!({})).unwrap_err();
    assert_eq!((failure.kind, failure.evidence[0].text.as_str()), (FailureKind::Exit, "no"));
}

#[test]
fn a_host_that_cannot_be_reached_anew_is_not_told_that_all_is_well() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let file = server.file("file");
    let armed = arm(&here, &file, "5s");
    // The connection there is goes on; the way in is shut.
    std::fs::write(server.file("authorized_keys"), "").unwrap();
    let failure = here.method("armed.confirm", armed, json!([]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized, "{failure}");
    assert!(failure.hints.iter().any(|hint| hint.contains("puts itself back 5s after")), "{failure:?}");
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(back(&file), "back\n");
}
