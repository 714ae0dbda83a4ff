//! Commands in containers of another host, whose `runbook` sends only what is not known here.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use runbook::drivers::docker::ContainerSpec;
use runbook::primitive::FailureKind;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{PASSWORD, backup, restic, restore, snapshots};
use crate::harness::cut::{Blow, Way};
use crate::harness::sshd::{Quirks, Sshd};
use crate::harness::{Direct, Lab};
use crate::runbooks::demo_images;

const OURS: &str = env!("CARGO_BIN_EXE_runbook");
/// How much is in the file that is saved.
const FILE: u64 = 6 << 20;

/// A project whose host `web` is reached by that way, and has that `runbook`.
fn reached(direct: &Direct, server: &Sshd, way: &Way, runbook: Option<&str>) {
    let runbook = runbook.map_or_else(String::new, |path| format!("runbook = \"{path}\"\n"));
    let text = format!(
        "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'STORE'\n\
         [secrets]\nsources = [{{ from = 'dotenv', file = 'secrets.env' }}]\n{}{runbook}",
        server.entry_at("web", way.port())
    );
    direct.write("runbook.toml", &text);
}

/// The same project as its own new process sees it: with no connection yet.
fn anew(direct: &Direct, server: &Sshd, way: &Way, runbook: Option<&str>) -> Direct {
    let other = Direct::new();
    let copied = std::process::Command::new("cp").arg("-a").arg(direct.path().join("store")).arg(other.path()).status();
    assert!(copied.unwrap().success());
    other.write("secrets.env", &format!("STORE='{PASSWORD}'\n"));
    reached(&other, server, way, runbook);
    other
}

/// A container with a file of noise.
fn noisy(lab: &Lab, bytes: u64) -> String {
    let name = lab.script("noisy", "exec sleep 600");
    let (code, said) = lab.exec(&name, &["sh", "-c", &format!("head -c {bytes} /dev/urandom > /tmp/file")]);
    assert_eq!(code, 0, "{said}");
    name
}

/// Something else at two places.
fn change(lab: &Lab, name: &str) {
    let script = "for at in 7 19; do dd if=/dev/urandom of=/tmp/file bs=1k count=120 seek=$((at * 1024)) conv=notrunc 2>/dev/null; done";
    assert_eq!(lab.exec(name, &["sh", "-c", script]).0, 0);
}

fn printed(name: &str, script: &str) -> Value {
    json!({ "container": name, "engine": "ssh://web", "command": ["sh", "-c", script], "name": "dump" })
}

fn hash_of(direct: &Direct, snapshot: Value) -> String {
    restore(direct, snapshot, json!("back"), json!({})).unwrap();
    let bytes = std::fs::read(direct.path().join("back")).unwrap();
    std::fs::remove_file(direct.path().join("back")).unwrap();
    runbook::drivers::backup::hex(&Sha256::digest(&bytes))
}

fn travelled(direct: &Direct) -> Vec<String> {
    direct.lines().into_iter().filter(|line| line.contains("travel")).collect()
}

/// A first snapshot of a file, and the same project anew.
fn begun(lab: &Lab, server: &Sshd, way: &Way, runbook: Option<&str>, bytes: u64) -> (Direct, String) {
    let (direct, name) = (super::site(), noisy(lab, bytes));
    reached(&direct, server, way, None);
    backup(&direct, printed(&name, "cat /tmp/file"), json!({})).unwrap();
    assert!(way.passed() > bytes, "the first time all of it travels");
    assert_eq!(travelled(&direct), Vec::<String>::new());
    (anew(&direct, server, way, runbook), name)
}

#[test]
fn what_is_known_does_not_travel_again() {
    let (Some(lab), Some(server)) = (Lab::start(), Sshd::start()) else { return };
    let (way, bytes) = (Way::open(server.port()), 24 << 20);
    let (direct, name) = begun(&lab, &server, &way, Some(OURS), bytes);
    change(&lab, &name);
    let before = way.passed();
    let saved = backup(&direct, printed(&name, "echo well >&2; cat /tmp/file"), json!({})).unwrap().value;
    let (passed, said) = (way.passed() - before, travelled(&direct));
    eprintln!("{passed} of {bytes} bytes over the link, {} new in the repository; {said:?}", saved["added"]);
    // The pieces are those that the repository cuts itself: what travels is what is new in it.
    let added = saved["added"].as_u64().unwrap();
    assert!(
        passed < bytes * 2 / 3 && added <= passed && passed < added + 100_000,
        "{passed} of {bytes} bytes, {saved}"
    );
    assert!(said.len() == 1 && said[0].ends_with("of 24 MiB travelled from `web`"), "{said:?}");
    assert!(direct.lines().contains(&"stderr: well".to_owned()), "{:?}", direct.lines());
    let (_, wanted) = lab.exec(&name, &["sha256sum", "/tmp/file"]);
    assert_eq!(hash_of(&direct, saved.clone()), wanted[..64]);
    restic(&direct, &["check", "--read-data"]);

    // Nothing is new: nothing but hashes.
    let before = way.passed();
    let again = backup(&direct, printed(&name, "cat /tmp/file"), json!({})).unwrap().value;
    assert!(way.passed() - before < 100_000, "{} bytes", way.passed() - before);
    assert_eq!(hash_of(&direct, again), wanted[..64]);
    let empty = backup(&direct, printed(&name, "true"), json!({})).unwrap().value;
    assert!(empty["bytes"].as_u64().unwrap() < 10_000, "{empty}");
}

#[test]
fn a_database_of_another_host_sends_what_became_new_and_is_whole_afterwards() {
    let Some(lab) = demo_images::databases() else { return };
    let Some(server) = Sshd::start() else { return };
    let way = Way::open(server.port());
    let spec = ContainerSpec {
        name: lab.name("shop"),
        image: "demo/postgres:15".into(),
        env: ["POSTGRES_USER=shop", "POSTGRES_PASSWORD=secret", "POSTGRES_DB=shop"].map(str::to_owned).to_vec(),
        labels: lab.labels(),
        ..ContainerSpec::default()
    };
    let name = lab.up(&spec);
    let asks = |sql: &str| lab.exec(&name, &["psql", "-U", "shop", "-d", "shop", "-Atc", sql]);
    let ready = [
        "/bin/busybox",
        "env",
        "PGPASSWORD=secret",
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "shop",
        "-d",
        "shop",
        "-c",
        "select 1",
    ];
    let began = Instant::now();
    while lab.exec(&name, &ready).0 != 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "the server does not come up");
        std::thread::sleep(Duration::from_millis(100));
    }
    let filled =
        "create table notes as select n as id, repeat(md5(n::text), 6) as text from generate_series(1, 100000) n";
    assert_eq!(asks(filled).0, 0);
    let source = json!({ "postgres": "shop", "container": name, "engine": "ssh://web" });
    let direct = super::site();
    reached(&direct, &server, &way, None);
    backup(&direct, source.clone(), json!({})).unwrap();
    let first = way.passed();
    let direct = anew(&direct, &server, &way, Some(OURS));
    let changed = "update notes set text = repeat(md5('new' || id), 6) where id between 40001 and 41000";
    assert_eq!(asks(changed).0, 0);
    let before = way.passed();
    let saved = backup(&direct, source, json!({})).unwrap().value;
    let passed = way.passed() - before;
    eprintln!(
        "a hundredth of a database became new: {passed} bytes over the link, the first time {first}; {:?}",
        travelled(&direct)
    );
    // Of so little data one piece is a tenth, and where pieces end is another matter in each repository.
    assert!(passed < first * 9 / 10 && travelled(&direct)[0].contains("travelled from"), "{passed} of {first}");
    let target = json!({ "postgres": "again", "container": name });
    let restored = restore(&direct, saved, target, json!({})).unwrap();
    assert_eq!((&restored["tables"], &restored["rows"]), (&json!(1), &json!(100_000)));
}

/// A server that keeps nothing on its disk, once it answers.
fn redis(lab: &Lab, name: &str) -> String {
    let spec = ContainerSpec {
        name: lab.name(name),
        image: "demo/redis:7".into(),
        labels: lab.labels(),
        ..ContainerSpec::default()
    };
    let name = lab.up(&spec);
    let began = Instant::now();
    while lab.exec(&name, &["redis-cli", "ping"]).0 != 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "the server does not come up");
        std::thread::sleep(Duration::from_millis(100));
    }
    name
}

#[test]
fn keys_of_another_host_send_what_became_new_by_the_runbook_that_its_shell_finds() {
    let Some(lab) = demo_images::databases() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(OURS, folder.path().join("runbook")).unwrap();
    let path = format!("SetEnv HOME={0} PATH={0}:/usr/bin:/bin", folder.path().display());
    let Some(server) = Sshd::with(Quirks { config: vec![path], ..Quirks::default() }) else { return };
    let way = Way::open(server.port());
    let (name, other) = (redis(&lab, "cache"), redis(&lab, "other"));
    let fill = "for n = 1, 9000 do local s = '' for i = 1, 50 do s = s .. redis.sha1hex(n .. ':' .. i) end redis.call('set', 'key ' .. n, s) end";
    assert_eq!(lab.exec(&name, &["redis-cli", "eval", fill, "0"]).0, 0);
    let source = json!({ "redis": "cache", "container": name, "engine": "ssh://web" });
    let direct = super::site();
    reached(&direct, &server, &way, None);
    backup(&direct, source.clone(), json!({})).unwrap();
    let first = way.passed();
    let direct = anew(&direct, &server, &way, None);
    assert_eq!(lab.exec(&name, &["redis-cli", "set", "key 4500", "another"]).0, 0);
    let before = way.passed();
    let saved = backup(&direct, source, json!({})).unwrap().value;
    let (passed, said) = (way.passed() - before, travelled(&direct));
    eprintln!("one key of 9000 became another: {passed} bytes over the link, the first time {first}; {said:?}");
    assert!(passed < first * 2 / 3 && said[0].contains("travelled from `web`"), "{passed} of {first}: {said:?}");
    let restored = restore(&direct, saved, json!({ "redis": "cache", "container": other }), json!({})).unwrap();
    assert_eq!(restored["keys"], json!(9000));
    assert_eq!(lab.exec(&other, &["redis-cli", "get", "key 4500"]).1.trim(), "another");
}

#[test]
fn where_no_runbook_like_this_one_is_all_of_it_travels() {
    let (Some(lab), Some(server)) = (Lab::start(), Sshd::start()) else { return };
    let way = Way::open(server.port());
    let (direct, name) = begun(&lab, &server, &way, None, FILE);
    let program = |name: &str, text: &str| {
        let path = server.file(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    };
    let hello = |version: &str| {
        format!(
            "printf '\\036runbook-cut {{\"protocol\":1,\"version\":\"{version}\",\"engine\":\"nobody\"}}\\n'; cat >/dev/null"
        )
    };
    let (older, other) = (program("older", &hello("0.0.1")), program("other", &hello(env!("CARGO_PKG_VERSION"))));
    let chatters = program("chatters", "echo error: unrecognized subcommand; exit 2");
    let there_is_none = "there is no";
    for (runbook, why) in [
        (None, there_is_none),
        (Some("/nowhere/runbook"), there_is_none),
        (Some(&chatters[..]), there_is_none),
        (Some(&older[..]), "is version 0.0.1, and this is"),
        (Some(&other[..]), "reaches no engine, or another one"),
    ] {
        let direct = anew(&direct, &server, &way, runbook);
        let before = way.passed();
        let saved = backup(&direct, printed(&name, "cat /tmp/file"), json!({})).unwrap().value;
        assert!(way.passed() - before > FILE, "{runbook:?}");
        let said = travelled(&direct);
        assert!(said.len() == 1 && said[0].contains("all of it travels") && said[0].contains(why), "{said:?}");
        let (_, wanted) = lab.exec(&name, &["sha256sum", "/tmp/file"]);
        assert_eq!(hash_of(&direct, saved), wanted[..64]);
    }
}

#[test]
fn what_goes_wrong_there_makes_no_snapshot() {
    let (Some(lab), Some(server)) = (Lab::start(), Sshd::start()) else { return };
    let way = Way::open(server.port());
    let (direct, name) = begun(&lab, &server, &way, Some(OURS), FILE);
    for (script, kind, wanted) in [
        ("cat /tmp/file; echo sad >&2; exit 7", FailureKind::Exit, "exited with code 7"),
        ("cat /tmp/file; kill -9 $$", FailureKind::Exit, "exited with code 137"),
        ("head -c 100 /tmp/file; exec no-such-program", FailureKind::Exit, "exited with code 127"),
    ] {
        let failure = backup(&direct, printed(&name, script), json!({})).unwrap_err();
        assert!(failure.kind == kind && failure.message.contains(wanted), "{script}: {failure:?}");
        assert_eq!(snapshots(&direct).len(), 1, "{script}");
    }
    let missing = json!({ "container": name, "engine": "ssh://web", "command": ["/no/such"], "name": "dump" });
    backup(&direct, missing, json!({})).unwrap_err();
    backup(&direct, printed("no-such-container", "true"), json!({})).unwrap_err();
    let limited = backup(&direct, printed(&name, "cat /tmp/file; sleep 60"), json!({ "within": "3s" })).unwrap_err();
    assert_eq!(limited.kind, FailureKind::Timeout, "{limited:?}");
    assert_eq!(snapshots(&direct).len(), 1);

    // The connection is cut in the middle; whatever still runs there ends.
    lab.exec(&name, &["sh", "-c", "head -c 2000000 /dev/urandom > /tmp/new"]);
    for bytes in [9_000, 20_000, 600_000] {
        let cut = Way::until(server.port(), bytes, Blow::Cut, true);
        let direct = anew(&direct, &server, &cut, Some(OURS));
        let began = Instant::now();
        let script = "cat /tmp/file; while :; do cat /tmp/new; done";
        let failure = backup(&direct, printed(&name, script), json!({})).unwrap_err();
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{bytes}: {:?}, {failure:?}, {:?}",
            began.elapsed(),
            direct.lines()
        );
        assert_eq!(failure.kind, FailureKind::Unreachable, "{bytes}: {failure:?}");
        assert_eq!(snapshots(&direct).len(), 1);
    }
    let began = Instant::now();
    while lab.exec(&name, &["sh", "-c", "ps | grep -v grep | grep -c 'while :'"]).1.trim() != "0" {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", lab.exec(&name, &["ps"]).1);
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn who_sends_something_else_than_it_tells_of_makes_no_snapshot() {
    let (Some(lab), Some(server)) = (Lab::start(), Sshd::start()) else { return };
    let way = Way::open(server.port());
    let (direct, name) = begun(&lab, &server, &way, None, FILE);
    let liar = server.file("liar");
    let change = "while (sysread(STDIN, $b, 65536)) { $b =~ s/MARKER/murmur/; syswrite(STDOUT, $b) }";
    std::fs::write(&liar, format!("#!/bin/sh\n{OURS} \"$@\" | perl -e '{change}'\n")).unwrap();
    std::fs::set_permissions(&liar, std::fs::Permissions::from_mode(0o755)).unwrap();
    let liar = liar.display().to_string();
    let direct = anew(&direct, &server, &way, Some(&liar));
    backup(&direct, printed(&name, "seq 1 90000"), json!({})).unwrap();
    assert!(travelled(&direct)[0].contains("travelled from"), "{:?}", direct.lines());
    let failure = backup(&direct, printed(&name, "seq 1 90000; echo MARKER"), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure:?}");
    assert!(failure.message.contains("tells of something else than it sends"), "{failure:?}");
    assert_eq!(snapshots(&direct).len(), 2);
}

#[test]
fn a_piece_that_the_repository_has_lost_makes_no_snapshot() {
    let (Some(lab), Some(server)) = (Lab::start(), Sshd::start()) else { return };
    let way = Way::open(server.port());
    let (direct, name) = begun(&lab, &server, &way, Some(OURS), FILE);
    let mut packs: Vec<_> = Vec::new();
    for folder in std::fs::read_dir(direct.path().join("store/data")).unwrap() {
        packs.extend(std::fs::read_dir(folder.unwrap().path()).unwrap().map(|pack| pack.unwrap().path()));
    }
    packs.sort_by_key(|pack| std::fs::metadata(pack).unwrap().len());
    let largest = packs.last().unwrap();
    std::fs::set_permissions(largest, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut bytes = std::fs::read(largest).unwrap();
    bytes[70_000] ^= 1;
    std::fs::write(largest, bytes).unwrap();
    let failure = backup(&direct, printed(&name, "cat /tmp/file"), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure:?}");
    assert!(failure.message.contains("has lost the piece"), "{failure:?}");
    assert_eq!(snapshots(&direct).len(), 1);
}

#[test]
fn a_host_hears_of_its_own_pieces_alone() {
    let direct = super::site();
    direct.write("a/file", "what is in one part").write("b/file", "what is in another");
    let saved = direct.call(crate::harness::primitive("backup"), json!([["a", "b"]]), json!({})).unwrap().value;
    let repository = super::open(&direct);
    let id = saved["id"].as_str().unwrap();
    let hash = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
    let known = repository.known(id, "a").unwrap();
    let (own, other) = (hash("what is in one part"), hash("what is in another"));
    assert!(known.has(&own) && !known.has(&other));
    assert_eq!(&known.read(&own).unwrap()[..], b"what is in one part");
    assert!(repository.known(id, "c").is_none());
}
