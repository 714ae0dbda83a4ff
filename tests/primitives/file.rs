//! `file`: naming, reading and changing a file of this machine.

mod crash;
mod plan;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use runbook::primitive::{Failure, FailureKind, Outcome};
use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive, skip};

fn file(path: &str) -> Value {
    json!({ "$kind": "file", "path": path })
}

fn read(direct: &Direct, path: &str) -> Result<Value, Failure> {
    direct.method("file.read", file(path), json!([]), Value::Null).map(|outcome| outcome.value)
}

fn write(direct: &Direct, path: &str, text: &str, options: Value) -> Result<Outcome, Failure> {
    direct.method("file.write", file(path), json!([text]), options)
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".runbook");
    names.sort();
    names
}

#[test]
fn a_file_is_named_without_being_touched() {
    let direct = Direct::new();
    assert_eq!(direct.call(primitive("file"), json!(["not/there"]), Value::Null).unwrap().value, file("not/there"));
    for (wrong, message) in [
        ("", "the path \"\" is empty"),
        ("a\0b", "the path \"a\\0b\" holds a NUL byte"),
        ("~/x", "the path \"~/x\" starts with `~`, which only a shell expands"),
    ] {
        let failure = direct.call(primitive("file"), json!([wrong]), Value::Null).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Argument, message));
    }
}

#[test]
fn what_was_written_is_read_back() {
    let direct = Direct::new();
    let outcome = write(&direct, "a.txt", "one\ntwo\n", Value::Null).unwrap();
    assert_eq!(outcome.changed, Some(true));
    assert_eq!(outcome.note.as_deref(), Some("created"));
    assert_eq!(outcome.value, json!({ "$kind": "file", "path": "a.txt", "changed": true }));
    assert_eq!(read(&direct, "a.txt").unwrap(), "one\ntwo\n");
    let lines = direct.method("file.lines", file("a.txt"), json!([]), Value::Null).unwrap();
    assert_eq!(lines.value, json!(["one", "two"]));
    assert_eq!(names(direct.path()), ["a.txt"]);
}

#[test]
fn the_same_content_changes_nothing() {
    let direct = Direct::new();
    write(&direct, "a.txt", "same", Value::Null).unwrap();
    let before = direct.path().join("a.txt").metadata().unwrap();
    let outcome = write(&direct, "a.txt", "same", Value::Null).unwrap();
    let after = direct.path().join("a.txt").metadata().unwrap();
    assert_eq!(outcome.changed, Some(false));
    assert_eq!(outcome.value["changed"], false);
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
}

#[test]
fn a_change_shows_which_lines_differ() {
    let direct = Direct::new();
    direct.write("app.conf", "port = 80\nhost = a\nlog = info\n");
    let outcome = write(&direct, "app.conf", "port = 8080\nhost = a\nlog = info\nnew = 1\n", Value::Null).unwrap();
    assert_eq!(outcome.note.as_deref(), Some("+2 -1 lines"));
    assert_eq!(direct.lines(), ["info: - port = 80", "info: + port = 8080", "info: + new = 1"]);
}

#[test]
fn lines_of_a_private_file_stay_out_of_the_log() {
    let direct = Direct::new();
    write(&direct, ".env", "PASSWORD=old\n", json!({ "mode": "0600" })).unwrap();
    let outcome = write(&direct, ".env", "PASSWORD=new\n", Value::Null).unwrap();
    assert_eq!(outcome.note.as_deref(), Some("+1 -1 lines"));
    assert!(direct.lines().is_empty());
}

#[test]
fn a_long_change_is_shown_in_part() {
    let direct = Direct::new();
    direct.write("list", &"old\n".repeat(500));
    write(&direct, "list", &"new\n".repeat(30), Value::Null).unwrap();
    let lines = direct.lines();
    assert_eq!(lines.len(), 21);
    assert_eq!(lines[20], "info: … and 510 more lines");
}

#[test]
fn a_mode_is_set_and_then_kept() {
    let direct = Direct::new();
    let path = direct.path().join("secret");
    write(&direct, "secret", "1", json!({ "mode": "0600" })).unwrap();
    assert_eq!(mode(&path), 0o600);
    write(&direct, "secret", "2", Value::Null).unwrap();
    assert_eq!(mode(&path), 0o600);
    let outcome = write(&direct, "secret", "2", json!({ "mode": "640" })).unwrap();
    assert_eq!((outcome.changed, outcome.note.as_deref(), mode(&path)), (Some(true), Some("mode 0640"), 0o640));
    let failure = write(&direct, "secret", "3", json!({ "mode": "rw" })).unwrap_err();
    assert_eq!(
        failure.message,
        "option `mode` `rw` is not a file mode: write three or four octal digits, as in \"0600\""
    );
    let failure = write(&direct, "secret", "3", json!({ "mode": 600 })).unwrap_err();
    assert_eq!(failure.message, "option `mode` must be a mode like \"0600\", got a number");
    assert_eq!(read(&direct, "secret").unwrap(), "2");
}

#[test]
fn a_replaced_file_keeps_its_owner() {
    let direct = Direct::new();
    direct.write("owned", "1");
    let path = direct.path().join("owned");
    if std::os::unix::fs::chown(&path, Some(12_345), Some(54_321)).is_err() {
        return skip("to run as root, to give a file away");
    }
    write(&direct, "owned", "2", Value::Null).unwrap();
    let metadata = path.metadata().unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (12_345, 54_321));
}

#[test]
fn a_missing_folder_says_how_to_make_it() {
    let failure = write(&Direct::new(), "conf/app/a.txt", "x", Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert_eq!(failure.message, "the folder of `conf/app/a.txt` does not exist");
    assert_eq!(failure.hints, ["make it first: `folder(\"conf/app\").create()`"]);
}

#[test]
fn a_folder_is_no_file() {
    let direct = Direct::new();
    direct.write("sub/x", "");
    for (method, args) in [("file.read", json!([])), ("file.write", json!(["x"])), ("file.remove", json!([]))] {
        let failure = direct.method(method, file("sub"), args, Value::Null).unwrap_err();
        assert_eq!(failure.message, "`sub` is a folder, not a file", "{method}");
    }
    assert!(direct.path().join("sub/x").exists());
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let direct = Direct::new();
    direct.write("a", "old");
    let command = std::process::Command::new("chattr").arg("+i").arg(direct.path().join("a")).status();
    if !command.is_ok_and(|status| status.success()) {
        return skip("a file system with immutable files");
    }
    let failure = write(&direct, "a", "new", Value::Null).unwrap_err();
    std::process::Command::new("chattr").arg("-i").arg(direct.path().join("a")).status().unwrap();
    assert_eq!(failure.kind, FailureKind::System);
    assert!(failure.message.starts_with("cannot write `a`: "), "{}", failure.message);
    assert_eq!(names(direct.path()), ["a"]);
    assert_eq!(read(&direct, "a").unwrap(), "old");
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let direct = Direct::new();
    let folder = direct.path().join("small");
    std::fs::create_dir(&folder).unwrap();
    let mount = |arguments: &[&str]| {
        std::process::Command::new(arguments[0])
            .args(&arguments[1..])
            .arg(&folder)
            .status()
            .is_ok_and(|end| end.success())
    };
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
        return skip("to run as root, to mount a small file system");
    }
    write(&direct, "small/a", "old", Value::Null).unwrap();
    let failure = write(&direct, "small/a", &"x".repeat(1 << 20), Value::Null).unwrap_err();
    let left = names(&folder);
    let text = read(&direct, "small/a").unwrap();
    assert!(mount(&["umount"]));
    assert_eq!(failure.message, "cannot write `small/a`: no space left on device");
    assert_eq!(failure.hints, ["free some space; the old file is untouched"]);
    assert_eq!(left, ["a"]);
    assert_eq!(text, "old");
}

#[test]
fn a_write_goes_through_a_link_inside_the_project() {
    let direct = Direct::new();
    direct.write("releases/1/conf", "old");
    symlink("releases/1", direct.path().join("current")).unwrap();
    symlink("current/conf", direct.path().join("link")).unwrap();
    symlink("releases/1/new", direct.path().join("dangling")).unwrap();
    write(&direct, "link", "new", Value::Null).unwrap();
    write(&direct, "dangling", "made", Value::Null).unwrap();
    assert!(direct.path().join("link").is_symlink());
    assert_eq!(std::fs::read_to_string(direct.path().join("releases/1/conf")).unwrap(), "new");
    assert_eq!(std::fs::read_to_string(direct.path().join("releases/1/new")).unwrap(), "made");
}

#[test]
fn a_link_that_leads_out_of_the_project_is_refused() {
    let (direct, elsewhere) = (Direct::new(), tempfile::tempdir().unwrap());
    let outside = elsewhere.path().canonicalize().unwrap().join("passwd");
    std::fs::write(&outside, "precious").unwrap();
    symlink(&outside, direct.path().join("link")).unwrap();
    symlink(elsewhere.path(), direct.path().join("folder")).unwrap();
    for path in ["link", "folder/passwd"] {
        let failure = write(&direct, path, "gone", Value::Null).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused);
        assert_eq!(failure.message, format!("`{path}` leads out of the project, to `{}`", outside.display()));
        assert_eq!(failure.hints, ["write the whole path if that place is meant"]);
    }
    assert_eq!(
        direct.method("file.remove", file("folder/passwd"), json!([]), Value::Null).unwrap_err().kind,
        FailureKind::Refused
    );
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "precious");
    write(&direct, outside.to_str().unwrap(), "meant", Value::Null).unwrap();
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "meant");
}

#[test]
fn links_in_a_circle_are_named() {
    let direct = Direct::new();
    symlink("b", direct.path().join("a")).unwrap();
    symlink("a", direct.path().join("b")).unwrap();
    assert_eq!(write(&direct, "a", "x", Value::Null).unwrap_err().message, "the links behind `a` lead in a circle");
}

#[test]
fn a_missing_file_cannot_be_read() {
    let failure = read(&Direct::new(), "VERSION").unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert_eq!(failure.message, "cannot read `VERSION`: no such file or directory");
}

#[test]
fn binary_content_is_no_text() {
    let direct = Direct::new();
    std::fs::write(direct.path().join("a"), b"caf\xe9").unwrap();
    std::fs::write(direct.path().join("b"), b"ab\0").unwrap();
    let failure = read(&direct, "a").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert_eq!(failure.message, "`a` is not text: its byte 3 is no part of UTF-8 text");
    assert_eq!(failure.hints, ["only text can be read; `copy`, `checksum` and `size` work on every file"]);
    assert_eq!(read(&direct, "b").unwrap_err().message, "`b` is not text: its byte 2 is no part of UTF-8 text");
}

#[test]
fn a_file_larger_than_the_limit_is_not_read() {
    let direct = Direct::new();
    direct.write("big", &"x".repeat(3_000));
    let call = |max| direct.method("file.read", file("big"), json!([]), json!({ "max": max }));
    assert_eq!(call("2KiB").unwrap_err().message, "`big` is larger than 2.0 KiB");
    assert_eq!(call("3000B").unwrap().value.as_str().unwrap().len(), 3_000);
    let failure = direct.method("file.read", file("/dev/zero"), json!([]), Value::Null).unwrap_err();
    assert_eq!(failure.message, "`/dev/zero` is a device, not a file");
}

#[test]
fn a_pipe_does_not_hang_the_reader() {
    let direct = Direct::new();
    assert!(std::process::Command::new("mkfifo").arg(direct.path().join("pipe")).status().unwrap().success());
    assert_eq!(read(&direct, "pipe").unwrap_err().message, "`pipe` is a pipe, not a file");
    assert_eq!(write(&direct, "pipe", "x", Value::Null).unwrap_err().message, "`pipe` is a pipe or device, not a file");
}

#[test]
fn existence_size_and_checksum() {
    let direct = Direct::new();
    direct.write("sub/a", "abc");
    let look = |method: &str, path: &str| direct.method(method, file(path), json!([]), Value::Null).unwrap().value;
    assert_eq!(look("file.exists", "sub/a"), true);
    assert_eq!(look("file.exists", "sub/b"), false);
    assert_eq!(look("file.exists", "sub/a/b"), false);
    assert_eq!(look("file.exists", "sub"), false);
    assert_eq!(look("file.size", "sub/a"), 3);
    assert_eq!(look("file.checksum", "sub/a"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn a_line_is_added_once() {
    let direct = Direct::new();
    let add = |line: &str| direct.method("file.append_line", file("ignore"), json!([line]), Value::Null);
    assert_eq!(add("a").unwrap().changed, Some(true));
    std::fs::write(direct.path().join("ignore"), "a\nb").unwrap();
    assert_eq!(add("c").unwrap().changed, Some(true));
    assert_eq!(add("b").unwrap().changed, Some(false));
    assert_eq!(read(&direct, "ignore").unwrap(), "a\nb\nc\n");
    assert_eq!(add("x\ny").unwrap_err().message, "argument `line` holds a line break");
}

#[test]
fn a_copy_has_content_and_mode_of_the_original() {
    let direct = Direct::new();
    std::fs::write(direct.path().join("a"), b"\xff\x00binary").unwrap();
    std::fs::set_permissions(direct.path().join("a"), std::fs::Permissions::from_mode(0o750)).unwrap();
    let copy = |to: Value, options| direct.method("file.copy", file("a"), json!([to]), options);
    let outcome = copy(json!("b"), Value::Null).unwrap();
    assert_eq!((outcome.changed, outcome.note.as_deref()), (Some(true), Some("8 B")));
    assert_eq!(std::fs::read(direct.path().join("b")).unwrap(), b"\xff\x00binary");
    assert_eq!(mode(&direct.path().join("b")), 0o750);
    assert_eq!(copy(file("b"), Value::Null).unwrap().changed, Some(false));
    assert_eq!(copy(json!("b"), json!({ "mode": "0600" })).unwrap().changed, Some(true));
    assert_eq!(mode(&direct.path().join("b")), 0o600);
    std::fs::create_dir(direct.path().join("sub")).unwrap();
    let failure = copy(json!("sub"), Value::Null).unwrap_err();
    assert_eq!((failure.message.as_str(), failure.hints[0].as_str()), ("`sub` is a folder", "name the copy: `sub/a`"));
}

#[test]
fn removing_twice_is_removing_once() {
    let direct = Direct::new();
    direct.write("a", "").write("target", "");
    symlink("target", direct.path().join("link")).unwrap();
    let remove = |path: &str| direct.method("file.remove", file(path), json!([]), Value::Null).unwrap().changed;
    assert_eq!(remove("a"), Some(true));
    assert_eq!(remove("a"), Some(false));
    assert_eq!(remove("no/such/folder"), Some(false));
    assert_eq!(remove("link"), Some(true));
    assert_eq!(names(direct.path()), ["target"]);
}

#[test]
fn a_script_acts_on_what_changed() {
    let project = Project::script(
        r#"let settings = file("app.conf");
if settings.write("port = 80\n").changed { info("first: restart") }
if settings.write("port = 80\n").changed { info("second: restart") }
settings.append_line("host = a");
info(`${settings.size()} bytes, ${settings.lines().len()} lines`);
let copy = settings.copy("app.bak");
if copy.checksum() == settings.checksum() { info("the copy is equal") }
settings.remove();
info(`gone: ${!settings.exists()}`);
file("nowhere/x").write("x");"#,
    );
    let ran = project.run().code(1);
    let ran = ran.says("first: restart").never_says("second: restart").says("19 bytes, 2 lines");
    let ran = ran.says("the copy is equal").says("gone: true").says("the folder of `nowhere/x` does not exist");
    ran.says("`folder(\"nowhere\").create()`");
    assert_eq!(project.read("app.bak"), "port = 80\nhost = a\n");
}
