//! Files and folders that travel: only what differs, whole or not at all.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{at, web};
use crate::harness::Direct;
use crate::harness::cut::{Blow, Way};
use crate::harness::sshd::{Sshd, user};
use runbook::primitive::{FailureKind, Outcome, Probe};

fn upload(here: &Direct, to: &Path, options: Value) -> Outcome {
    let foreseen = here.predict("ssh.upload", web(here), json!(["site", to]), options.clone()).unwrap();
    let outcome = here.method("ssh.upload", web(here), json!(["site", to]), options).unwrap();
    assert_eq!(foreseen.changes, outcome.changes);
    assert_eq!(outcome.value, json!(outcome.changed.unwrap()));
    outcome
}

fn details(outcome: &Outcome) -> Vec<&str> {
    outcome.changes.iter().flat_map(|change| &change.detail).map(String::as_str).collect()
}

/// Every path below a folder, with what is in it.
fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_symlink() {
                found.push(format!("{name} -> {}", path.read_link().unwrap().display()));
            } else if path.is_dir() {
                found.push(format!("{name}/"));
                open.push(path);
            } else {
                found.push(format!("{name}: {}", std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn site(here: &Direct) {
    here.write("site/index.html", "hello").write("site/a b/it's $x.txt", "two").write("site/-rf", "three");
    std::fs::create_dir_all(here.path().join("site/empty")).unwrap();
    symlink("index.html", here.path().join("site/link")).unwrap();
    std::fs::set_permissions(here.path().join("site/-rf"), std::fs::Permissions::from_mode(0o750)).unwrap();
}

#[test]
fn a_folder_travels_once_and_then_only_what_differs() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    site(&here);
    let to = server.file("www/site");
    let first = upload(&here, &to, json!({}));
    assert_eq!(first.changed, Some(true));
    assert!(details(&first).contains(&"+ a b/it's $x.txt"), "{first:?}");
    assert_eq!(tree(&to), tree(&here.path().join("site")));
    assert_eq!((mode(&to.join("-rf")), mode(&to.join("index.html"))), (0o750, 0o644));
    assert_eq!(upload(&here, &to, json!({})).changed, Some(false));
    std::fs::write(to.join("theirs"), "x").unwrap();
    here.write("site/index.html", "hallo").write("site/new/deep/file", "four");
    std::fs::remove_file(here.path().join("site/-rf")).unwrap();
    let second = upload(&here, &to, json!({}));
    assert_eq!(details(&second), ["~ index.html", "+ new/deep/file"]);
    assert_eq!(second.note.as_deref(), Some("2 of 4 sent, 9 B"));
    assert!(to.join("theirs").exists() && to.join("-rf").exists());
    let third = upload(&here, &to, json!({ "delete": true }));
    let mut gone = details(&third);
    gone.sort_unstable();
    assert_eq!(gone, ["- -rf", "- theirs"]);
    assert_eq!(tree(&to), tree(&here.path().join("site")));
    assert_eq!(upload(&here, &to, json!({ "delete": true })).changed, Some(false));
}

#[test]
fn mode_and_owner_are_as_wanted_and_otherwise_stay() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    here.write("site", "text");
    let to = server.file("file");
    assert_eq!(upload(&here, &to, json!({ "mode": "0600" })).changed, Some(true));
    assert_eq!((mode(&to), std::fs::read_to_string(&to).unwrap().as_str()), (0o600, "text"));
    assert_eq!(details(&upload(&here, &to, json!({}))), ["mode: 600 → 0644"]);
    assert_eq!(upload(&here, &to, json!({})).changed, Some(false));
    let into = format!("{}/", server.file("").display());
    here.method("ssh.upload", web(&here), json!(["site", into]), json!({})).unwrap();
    assert!(server.file("site").exists());
    if user() != "root" {
        return;
    }
    let options = json!({ "owner": "nobody" });
    assert_eq!(details(&upload(&here, &to, options.clone())), ["owner: root:root → nobody"]);
    here.write("site", "other");
    upload(&here, &to, json!({}));
    assert_eq!(upload(&here, &to, options).changed, Some(false), "a replaced file goes on being whose it was");
}

#[test]
fn what_arrives_is_new_also_where_it_is_as_long_as_what_was_there() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    site(&here);
    let to = server.file("www");
    let age = || std::fs::metadata(to.join("index.html")).unwrap().modified().unwrap().elapsed().unwrap().as_secs();
    upload(&here, &to, json!({}));
    assert!(age() < 600, "{}", age());
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::options().append(true).open(to.join("index.html")).unwrap().set_modified(old).unwrap();
    here.write("site/index.html", "HELLO");
    upload(&here, &to, json!({}));
    assert!(age() < 600, "{}", age());
}

#[test]
fn what_is_in_the_way_or_makes_no_sense_is_refused_before_anything_changes() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    site(&here);
    let to = server.file("www");
    std::fs::create_dir_all(to.join("index.html")).unwrap();
    let failure = here.method("ssh.upload", web(&here), json!(["site", to]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert!(failure.message.ends_with("index.html` of the host is a folder"), "{failure}");
    assert_eq!(tree(&to), ["index.html/"]);
    std::fs::write(here.path().join("site/bad\nname"), "").unwrap();
    let failure = here.method("ssh.upload", web(&here), json!(["site", to]), json!({})).unwrap_err();
    assert!(failure.message.contains("cannot travel"), "{failure}");
    let failure = here.method("ssh.upload", web(&here), json!(["none", to]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    here.write("one", "x");
    let failure = here.method("ssh.upload", web(&here), json!(["one", "/nowhere/x"]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure}");
}

#[test]
fn a_folder_that_is_swapped_for_a_link_meanwhile_takes_an_upload_nowhere_else() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    here.write("site/inner/canary", "mine").write("site/inner/more", "mine").write("outside/canary", "theirs");
    let (one, other) = (here.path().join("site/inner"), here.path().join("aside"));
    symlink(here.path().join("outside"), &other).unwrap();
    let (done, mut arrived) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let (exchange, cwd) = (rustix::fs::RenameFlags::EXCHANGE, rustix::fs::CWD);
                let _ = rustix::fs::renameat_with(cwd, &one, cwd, &other, exchange);
            }
        });
        for number in 0..12 {
            let to = server.file(&format!("www-{number}"));
            // Files that are others when they travel than when they were read are refused.
            let sent = here.method("ssh.upload", web(&here), json!(["site", to]), json!({}));
            arrived += usize::from(sent.is_ok());
            let found = if to.exists() { tree(&to) } else { Vec::new() };
            assert!(!found.iter().any(|line| line.contains("theirs")), "{found:?} {sent:?}");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(arrived > 0, "nothing arrived, so nothing was shown");
}

#[test]
fn an_upload_that_is_cut_leaves_the_old_files_and_nothing_beside_them() {
    let Some(server) = Sshd::start() else { return };
    let to = server.file("www");
    std::fs::create_dir_all(&to).unwrap();
    std::fs::write(to.join("index.html"), "old").unwrap();
    let here = at(&server);
    here.write("site/index.html", &"new ".repeat(1_000_000));
    let whole = {
        let way = Way::open(server.port());
        here.write("runbook.toml", &server.entry_at("web", way.port()));
        here.predict("ssh.upload", web(&here), json!(["site", to]), json!({})).unwrap();
        way.passed()
    };
    for more in [0, 100, 400, 1000] {
        let there = Direct::new();
        let way = Way::until(server.port(), whole + more, Blow::Cut, false);
        there.write("runbook.toml", &server.entry_at("web", way.port()));
        there.write("site/index.html", &"new ".repeat(1_000_000));
        let result = there.method("ssh.upload", web(&there), json!(["site", to]), json!({}));
        let began = std::time::Instant::now();
        // The host notices the end of its input and tidies up.
        while std::fs::read_dir(&to).unwrap().count() > 1 {
            assert!(began.elapsed().as_secs() < 10, "something is left beside it");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let text = std::fs::read_to_string(to.join("index.html")).unwrap();
        assert!(text == "old" || text.len() == 4_000_000, "{}", text.len());
        if result.is_ok() {
            assert_eq!(text.len(), 4_000_000);
        }
    }
}

#[test]
fn an_upload_that_died_is_told_from_one_that_happened() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    here.write("site/a", "1");
    let args = json!(["site", server.file("www")]);
    here.dies_before_its_effect("ssh.upload", web(&here), args.clone(), Value::Null);
    assert!(matches!(here.recover("ssh.upload", web(&here), args.clone(), Value::Null).unwrap(), Probe::NotDone));
    here.again("ssh.upload", web(&here), args.clone(), Value::Null).unwrap();
    match here.recover("ssh.upload", web(&here), args, Value::Null).unwrap() {
        Probe::Done(outcome) => assert_eq!(outcome.changed, Some(true)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_folder_is_fetched_once_and_then_only_what_differs() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let from = server.file("logs");
    std::fs::create_dir_all(from.join("a b/empty")).unwrap();
    std::fs::write(from.join("a b/-x $y"), "one").unwrap();
    std::fs::write(from.join("big"), "z".repeat(300_000)).unwrap();
    std::fs::set_permissions(from.join("big"), std::fs::Permissions::from_mode(0o600)).unwrap();
    symlink("/etc/passwd", from.join("link")).unwrap();
    let args = json!([from, "got/logs"]);
    std::fs::create_dir(here.path().join("got")).unwrap();
    let foreseen = here.predict("ssh.download", web(&here), args.clone(), json!({})).unwrap();
    let fetched = here.method("ssh.download", web(&here), args.clone(), json!({})).unwrap();
    assert_eq!((fetched.changed, &foreseen.changes), (Some(true), &fetched.changes));
    let got = here.path().join("got/logs");
    assert_eq!(tree(&got), tree(&from));
    assert_eq!(mode(&got.join("big")), 0o600);
    assert_eq!(here.method("ssh.download", web(&here), args.clone(), json!({})).unwrap().changed, Some(false));
    std::fs::write(from.join("a b/-x $y"), "two").unwrap();
    let fetched = here.method("ssh.download", web(&here), args.clone(), json!({})).unwrap();
    assert_eq!(details(&fetched)[1..], ["a b/-x $y"]);
    assert_eq!(tree(&got), tree(&from));
    assert_eq!(std::fs::read_dir(here.path().join("got")).unwrap().count(), 1, "nothing is left beside it");
    // A link here leads nowhere else.
    std::fs::remove_dir_all(got.join("a b")).unwrap();
    symlink(server.file(""), got.join("a b")).unwrap();
    let failure = here.method("ssh.download", web(&here), args, json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
}

#[test]
fn a_file_is_fetched_whatever_it_is_called() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let from = server.file("it's a file");
    std::fs::write(&from, b"\xff\x00binary").unwrap();
    let args = json!([from, "./"]);
    let fetched = here.method("ssh.download", web(&here), args.clone(), json!({ "mode": "0600" })).unwrap();
    assert_eq!(fetched.changed, Some(true));
    let got = here.path().join("it's a file");
    assert_eq!((std::fs::read(&got).unwrap().as_slice(), mode(&got)), (&b"\xff\x00binary"[..], 0o600));
    assert_eq!(here.method("ssh.download", web(&here), args, json!({ "mode": "0600" })).unwrap().changed, Some(false));
    let failure = here.method("ssh.download", web(&here), json!([server.file("none"), "x"]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}
