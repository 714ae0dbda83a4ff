//! Commands in containers, as databases are dumped.

use std::time::Duration;

use serde_json::{Value, json};

use super::{backup, restore, site, snapshots};
use crate::harness::Lab;

#[test]
fn what_a_command_in_a_container_prints_is_saved_and_restored_into_another() {
    let Some(lab) = Lab::start() else { return };
    let direct = site();
    let name = lab.script("db", "exec sleep 600");
    let dump = |script: &str| json!({ "container": name, "command": ["sh", "-c", script], "name": "dump" });
    let made = backup(&direct, dump("seq 1 200000; echo well >&2"), json!({})).unwrap().value;
    assert_eq!(direct.lines(), ["stderr: well"]);
    let into = json!({ "container": name, "command": ["sh", "-c", "md5sum > /tmp/sum"] });
    restore(&direct, made, into, json!({})).unwrap();
    let (_, here) = lab.exec(&name, &["sh", "-c", "seq 1 200000 | md5sum"]);
    assert_eq!(lab.exec(&name, &["cat", "/tmp/sum"]).1, here);

    for (script, wanted) in [
        ("seq 1 200000; exit 7", "exited with code 7"),
        ("exec no-such-program", "exited with code 127"),
        ("seq 1 200000; kill -9 $$", "exited with code 137"),
    ] {
        let failure = backup(&direct, dump(script), json!({})).unwrap_err();
        assert!(failure.message.contains(wanted), "{script}: {failure:?}");
    }
    let missing: Value = json!({ "container": "no-such-container", "command": ["true"], "name": "dump" });
    backup(&direct, missing, json!({})).unwrap_err();
    assert_eq!(snapshots(&direct).len(), 1);

    // The container dies in the middle of the stream.
    let (engine, victim) = (lab.engine.clone(), name.clone());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(1500));
            lab.run(engine.remove(&victim, true)).unwrap();
        });
        backup(&direct, dump("while :; do seq 1 1000; done"), json!({ "within": "60s" })).unwrap_err();
    });
    assert_eq!(snapshots(&direct).len(), 1);
}
