//! Repositories in a folder of a host: what is saved is what is restored, by us and by `restic`, and a host that is lost
//! leaves no snapshot.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runbook::drivers::backup::{Access, Location, Repository};
use runbook::primitive::{Failure, FailureKind, target_named};
use runbook::project::ProjectFile;
use serde_json::json;

use super::{PASSWORD, backup, furnish, listing, restore};
use crate::harness::sshd::Sshd;
use crate::harness::{Direct, skip};

/// A project with an empty repository on the host.
fn site(host: &Sshd) -> (Direct, Location) {
    let direct = Direct::new();
    let store = host.file("store").display().to_string();
    let text = format!(
        "[project]\nname = 'shop'\n[backup.main]\nhost = 'web-1'\npath = '{store}'\npassword = 'STORE'\n\
         [secrets]\nsources = [{{ from = 'dotenv', file = 'secrets.env' }}]\n{}",
        host.entry("web-1")
    );
    direct.write("runbook.toml", &text).write("secrets.env", &format!("STORE='{PASSWORD}'\n"));
    let target = target_named(&ProjectFile::parse(&text, "shop").unwrap(), "web-1").unwrap();
    let location = Location::Host(Box::new(target), store);
    Repository::init(&location, PASSWORD).unwrap();
    (direct, location)
}

fn open(location: &Location, access: Access) -> Result<Repository, Failure> {
    Repository::open(location, PASSWORD, access, Arc::new(|| Ok(())))
}

fn restic(direct: &Direct, host: &Sshd, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("restic");
    command.args(["--no-cache", "-r"]).arg(host.file("store")).args(arguments).current_dir(direct.path());
    let Ok(output) = command.env("RESTIC_PASSWORD", PASSWORD).output() else {
        skip("restic (apt-get install restic)");
        return None;
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "restic {arguments:?}: {out}{err}");
    Some(out.into_owned())
}

#[test]
fn a_folder_comes_back_from_a_host_as_it_was_by_us_and_by_restic() {
    let Some(host) = Sshd::start() else { return };
    let (direct, location) = site(&host);
    furnish(&direct);
    let made = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    let wanted = listing(&direct.path().join("uploads"));
    restore(&direct, made.clone(), json!("back"), json!({})).unwrap();
    assert_eq!(listing(&direct.path().join("back")), wanted);
    let failure = Repository::init(&location, PASSWORD).unwrap_err();
    assert!(failure.message.contains("there is a repository in `web-1:/"), "{failure:?}");
    let alone = open(&location, Access::Alone).unwrap();
    alone.prune().unwrap();
    assert!(alone.check(true).unwrap().errors.is_empty());
    drop(alone);
    let Some(checked) = restic(&direct, &host, &["check", "--read-data"]) else { return };
    assert!(checked.contains("no errors were found"), "{checked}");
    restic(&direct, &host, &["restore", "latest", "--target", "theirs"]).unwrap();
    assert_eq!(listing(&direct.path().join("theirs/data/uploads")), wanted);
    assert!(location.restic().contains("-s sftp"), "{}", location.restic());
}

#[test]
fn who_removes_something_on_a_host_is_alone_there() {
    let Some(host) = Sshd::start() else { return };
    let (_direct, location) = site(&host);
    // One who works there by hand is no other than one who comes over the network.
    let there = Repository::open(host.file("store"), PASSWORD, Access::Shared, Arc::new(|| Ok(()))).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let seen = Arc::clone(&order);
        let location = &location;
        scope.spawn(move || {
            drop(open(location, Access::Shared).unwrap());
            seen.lock().unwrap().push("shared");
            drop(open(location, Access::Alone).unwrap());
            seen.lock().unwrap().push("alone");
        });
        let start = Instant::now();
        while order.lock().unwrap().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(60), "whoever adds does not wait");
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_secs(2));
        order.lock().unwrap().push("first");
        drop(there);
    });
    assert_eq!(*order.lock().unwrap(), ["shared", "first", "alone"]);
}

#[test]
fn damage_and_a_lost_host_are_said() {
    let Some(host) = Sshd::start() else { return };
    let (direct, location) = site(&host);
    direct.write("uploads/a", &"some text\n".repeat(1000));
    let made = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    // A pack that is cut off.
    let shell = |script: &str| {
        let done = Command::new("sh").args(["-ec", script]).current_dir(host.file("store")).status().unwrap();
        assert!(done.success(), "{script}");
    };
    shell("f=$(ls -S data/*/* | head -n1); cp $f ../whole; truncate -s 20 $f");
    assert!(!open(&location, Access::Shared).unwrap().check(true).unwrap().errors.is_empty());
    let failure = restore(&direct, made, json!("back"), json!({})).unwrap_err();
    assert!(failure.message.contains("is shorter than"), "{failure:?}");
    assert!(!direct.path().join("back").exists());
    let failure = backup(&direct, json!("uploads"), json!({})).unwrap_err();
    assert!(failure.message.contains("is missing or cut off"), "{failure:?}");
    shell("cp ../whole $(find data -type f -size 20c)");
    // A folder that nobody can write to, as a disk that is full.
    let data = host.file("store").join("unfinished");
    std::fs::remove_dir(&data).unwrap();
    std::fs::write(&data, "in the way").unwrap();
    direct.write("more/a", "a");
    let failure = backup(&direct, json!("more"), json!({})).unwrap_err();
    assert!(failure.message.starts_with("cannot write into the repository `web-1:/"), "{failure:?}");
    assert_eq!(open(&location, Access::Shared).unwrap().snapshots().unwrap().len(), 1);
    drop(host);
    let start = Instant::now();
    let failure = backup(&direct, json!("more"), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
