//! Folders and SQLite databases of hosts: read with what every host has, restored here and there, and whatever goes wrong there makes no
//! snapshot.

mod databases;
mod placed;
mod wrong;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{PASSWORD, backup, listing, open, restic, restore, snapshots};
use crate::harness::Direct;
use crate::harness::cut::Way;
use crate::harness::sshd::{Quirks, Sshd};

/// Something of everything.
const FURNISH: &str = "mkdir -p deep/er cache 'a folder' gone-empty; echo hello > a.txt; head -c 700000 /dev/urandom > deep/er/b.bin; \
    ln deep/er/b.bin deep/second; ln -s ../a.txt deep/link; ln -s /nowhere gone; echo no > cache/x; echo no > deep/y.tmp; : > nothing; \
    printf x > 'a folder/a name with blanks'; printf y > \"$(printf 'not-utf8-\\377')\"; printf z > -n; echo a > deep-er; \
    printf n > \"$(printf 'two\\nlines')\"; n=$(printf 'long%.0s' $(seq 20)); mkdir $n; echo far > $n/$n; \
    chmod 0640 a.txt; chown 1001:1002 a.txt; chmod 4755 deep/er/b.bin; chmod 2751 deep; chown 7:8 deep; chmod 0700 .; \
    touch -d '2001-02-03 04:05:06' a.txt deep deep/er";
/// Extended attributes as a Python list.
const ATTRIBUTES: &str = "import os, sys; root = sys.argv[1]; found = []\n\
    for folder, folders, files in os.walk(root):\n\
    \x20for name in folders + files:\n\
    \x20\x20path = os.path.join(folder, name); names = os.listxattr(path, follow_symlinks=False)\n\
    \x20\x20found += [(os.path.relpath(path, root), name, os.getxattr(path, name, follow_symlinks=False)) for name in names]\n\
    print(sorted(found))";

/// A project that knows the host as `web`, with an empty repository of its own.
fn site(server: &Sshd) -> Direct {
    let direct = super::site();
    known(&direct, server, server.port(), "");
    direct
}

fn known(direct: &Direct, server: &Sshd, port: u16, more: &str) {
    let text = format!(
        "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'STORE'\n\
         [secrets]\nsources = [{{ from = 'dotenv', file = 'secrets.env' }}]\n{}{more}",
        server.entry_at("web", port)
    );
    direct.write("runbook.toml", &text).write("secrets.env", &format!("STORE='{PASSWORD}'\n"));
}

fn web() -> Value {
    json!({ "$kind": "ssh", "name": "web" })
}

/// A folder of the host.
fn folder(server: &Sshd, name: &str) -> Value {
    json!({ "folder": server.file(name).display().to_string(), "host": "web", "name": "data" })
}

/// The same as a target.
fn place(server: &Sshd, name: &str) -> Value {
    json!({ "path": server.file(name).display().to_string(), "host": "web" })
}

fn shell(folder: &Path, script: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let done = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
}

fn python(program: &str, folder: &Path) -> String {
    let done = Command::new("python3").args(["-c", program]).arg(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// A host on which these programs are others: each is a script for `sh`, in which `REAL` is the folder of the real ones.
fn host_with(programs: &[(&str, &str)]) -> Option<Sshd> {
    let folder = std::env::temp_dir().join(format!("programs-{}", runbook_test_number()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in programs {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\nREAL=/usr/bin\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    host_at(&format!("{}:/usr/bin:/bin", folder.display()))
}

/// A host whose programs are looked for there.
fn host_at(path: &str) -> Option<Sshd> {
    let home = std::env::temp_dir().join("hosted-home");
    std::fs::create_dir_all(&home).unwrap();
    Sshd::with(Quirks { config: vec![format!("SetEnv HOME={} PATH={path}", home.display())], ..Quirks::default() })
}

fn runbook_test_number() -> String {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// A host that has nothing but busybox.
fn busybox() -> Option<Sshd> {
    let folder = std::env::temp_dir().join(format!("busybox-{}", runbook_test_number()));
    std::fs::create_dir_all(&folder).unwrap();
    let names = "awk cat chmod chown cut find grep head ls mkdir mktemp mv printf readlink rm rmdir sed sha256sum sort stat sync tail tar tr xargs";
    for name in names.split(' ') {
        std::os::unix::fs::symlink("/bin/busybox", folder.join(name)).unwrap();
    }
    host_at(&folder.display().to_string())
}

fn facts(direct: &Direct) -> Value {
    let newest = snapshots(direct).pop().unwrap();
    open(direct).manifest(&newest).unwrap().unwrap().parts[0].facts.clone()
}

#[test]
fn a_folder_of_a_host_comes_back_as_it_was_here_there_and_by_restic() {
    let Some(server) = Sshd::start() else { return };
    let direct = site(&server);
    let data = server.file("data");
    shell(&data, FURNISH);
    python(
        "import os, sys; os.setxattr(sys.argv[1] + '/a.txt', 'user.note', b'\\0kept\\xff'); os.setxattr(sys.argv[1] + '/deep', 'trusted.own', b'x')",
        &data,
    );
    let attributes = python(ATTRIBUTES, &data);
    assert!(attributes.contains("user.note"), "{attributes}");
    let exclude = json!({ "exclude": ["*.tmp", "/cache"] });
    let mut source = folder(&server, "data");
    source["host"] = web();
    let made = backup(&direct, source.clone(), exclude.clone()).unwrap().value;
    let said = facts(&direct);
    assert_eq!((&said["host"]["name"], &said["host"]["attributes"]), (&json!("web"), &json!(true)), "{said}");

    shell(&data, "rm -r cache deep/y.tmp; touch -d '2001-02-03 04:05:06' deep");
    let wanted = listing(&data);
    restore(&direct, made.clone(), json!("back"), json!({})).unwrap();
    assert_eq!(listing(&direct.path().join("back")), wanted);
    assert_eq!(python(ATTRIBUTES, &direct.path().join("back")), attributes);
    restore(&direct, made.clone(), place(&server, "elsewhere"), json!({})).unwrap();
    assert_eq!(listing(&server.file("elsewhere")), wanted);
    assert_eq!(python(ATTRIBUTES, &server.file("elsewhere")), attributes);
    let mode = std::fs::metadata(server.file("elsewhere")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700, "the folder itself has its mode");
    if restic(&direct, &["restore", made["id"].as_str().unwrap(), "--target", "theirs"]).is_some() {
        assert_eq!(listing(&direct.path().join("theirs/data/data")), wanted);
        assert!(restic(&direct, &["check", "--read-data"]).unwrap().contains("no errors were found"));
    }
    // A folder of this machine makes the same of it.
    shell(&server.file("."), "ln -sfn data link");
    let again = backup(&direct, folder(&server, "link"), exclude).unwrap().value;
    assert!(again["added"].as_u64().unwrap() < 20_000, "{again}");
    let here = json!({ "folder": data.display().to_string(), "name": "data" });
    let mine = backup(&direct, here, json!({})).unwrap().value;
    assert_eq!((&mine["files"], &mine["bytes"].as_u64().map(|_| ())), (&again["files"], &Some(())));
    let manifests: Vec<_> =
        snapshots(&direct).iter().map(|one| open(&direct).manifest(one).unwrap().unwrap()).collect();
    assert_eq!(manifests[1].parts[0].tally, manifests[2].parts[0].tally, "what is told of it is the same");
}

#[test]
fn a_folder_of_a_host_with_busybox_alone_comes_back_too_but_for_attributes() {
    let Some(server) = busybox() else { return };
    let direct = site(&server);
    let data = server.file("data");
    shell(&data, FURNISH);
    shell(&data, "rm -r cache; n=$(printf 'long%.0s' $(seq 20)); mkdir -p further/$n; echo further > further/$n/$n");
    let wanted = listing(&data);
    let made = backup(&direct, folder(&server, "data"), json!({})).unwrap().value;
    assert_eq!(facts(&direct)["host"]["attributes"], json!(false));
    assert!(direct.lines().iter().any(|line| line.contains("extended attributes on `web` are not saved")));
    restore(&direct, made.clone(), json!("back"), json!({})).unwrap();
    // Its archives have whole seconds.
    let whole = |text: String| {
        let lines = text.lines().map(|line| {
            line.split(' ')
                .map(|word| match word.split_once('.') {
                    Some((seconds, rest)) if rest.len() == 10 => seconds,
                    _ => word,
                })
                .collect::<Vec<_>>()
                .join(" ")
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(whole(listing(&direct.path().join("back"))), whole(wanted.clone()));
    // It gives no link to whom it belonged, which is found out.
    let failure = restore(&direct, made.clone(), place(&server, "elsewhere"), json!({})).unwrap_err();
    assert!(failure.message.ends_with("the disk has other modes or owners"), "{failure:?}");
    assert!(!server.file("elsewhere").exists());
    shell(&data, "chgrp -h 0 deep; chmod g-s deep; touch -d '2001-02-03 04:05:06' deep");
    let made = backup(&direct, folder(&server, "data"), json!({})).unwrap().value;
    let wanted = listing(&data);
    restore(&direct, made, place(&server, "elsewhere"), json!({})).unwrap();
    // Nor are the times of folders and links those that they had.
    let untimed = |text: String| {
        let of = |line: &str| {
            let is_timed = !line.contains(" d ") && !line.contains(" l ");
            let words = line.split(' ').filter(|word| is_timed || word.len() < 9 || word.parse::<u64>().is_err());
            words.collect::<Vec<_>>().join(" ")
        };
        whole(text).lines().map(of).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(untimed(listing(&server.file("elsewhere"))), untimed(wanted));
}

#[test]
fn what_is_left_out_does_not_travel_and_the_repository_is_no_part_of_itself() {
    let Some(server) = Sshd::start() else { return };
    let way = Way::open(server.port());
    let direct = site(&server);
    known(&direct, &server, way.port(), "");
    shell(
        &server.file("data"),
        "mkdir big; head -c 9000000 /dev/urandom > big/x; echo kept > kept; head -c 3000000 /dev/urandom > y.iso",
    );
    backup(&direct, folder(&server, "data"), json!({ "exclude": ["big/", "*.iso"] })).unwrap();
    assert!(way.passed() < 100_000, "{} bytes travelled", way.passed());

    let store = server.file("data/store").display().to_string();
    let other = Direct::new();
    let text = format!(
        "[project]\nname = 'shop'\n[backup.main]\nhost = 'web'\npath = '{store}'\npassword = 'STORE'\n\
         [secrets]\nsources = [{{ from = 'dotenv', file = 'secrets.env' }}]\n{}",
        server.entry("web")
    );
    other.write("runbook.toml", &text).write("secrets.env", &format!("STORE='{PASSWORD}'\n"));
    runbook::drivers::backup::Repository::init(server.file("data/store"), PASSWORD).unwrap();
    let saved = backup(&other, folder(&server, "data"), json!({})).unwrap().value;
    assert_eq!(saved["files"].as_u64(), Some(4), "three files and the manifest: {saved}");
}
