//! `folder`: naming, making, listing and removing a folder of this machine.

mod crash;

use std::os::unix::fs::{MetadataExt, symlink};

use runbook::primitive::{Failure, FailureKind, Outcome};
use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive, skip};

fn folder(path: &str) -> Value {
    json!({ "$kind": "folder", "path": path })
}

fn create(direct: &Direct, path: &str, options: Value) -> Result<Outcome, Failure> {
    direct.method("folder.create", folder(path), json!([]), options)
}

fn list(direct: &Direct, path: &str, options: Value) -> Result<Value, Failure> {
    direct.method("folder.list", folder(path), json!([]), options).map(|outcome| outcome.value)
}

fn remove(direct: &Direct, path: &str, options: Value) -> Result<Option<bool>, Failure> {
    direct.method("folder.remove", folder(path), json!([]), options).map(|outcome| outcome.changed)
}

#[test]
fn a_folder_is_made_with_those_above_it_once() {
    let direct = Direct::new();
    assert_eq!(direct.call(primitive("folder"), json!(["a/b"]), Value::Null).unwrap().value, folder("a/b"));
    let exists = || direct.method("folder.exists", folder("a/b"), json!([]), Value::Null).unwrap().value;
    assert_eq!(exists(), false);
    assert_eq!(create(&direct, "a/b", json!({ "mode": "0700" })).unwrap().changed, Some(true));
    assert_eq!(direct.path().join("a/b").metadata().unwrap().mode() & 0o7777, 0o700);
    assert_eq!(create(&direct, "a/b", Value::Null).unwrap().changed, Some(false));
    assert_eq!(create(&direct, "a/b", json!({ "mode": "0755" })).unwrap().changed, Some(true));
    assert_eq!(exists(), true);
}

#[test]
fn a_file_in_the_way_is_a_conflict() {
    let direct = Direct::new();
    direct.write("a", "");
    for path in ["a", "a/b/c"] {
        let failure = create(&direct, path, Value::Null).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Conflict);
        assert_eq!(failure.message, format!("cannot create the folder `{path}`: a file of that name is in the way"));
    }
}

#[test]
fn a_folder_is_not_made_behind_a_link_that_leads_out() {
    let (direct, elsewhere) = (Direct::new(), tempfile::tempdir().unwrap());
    symlink(elsewhere.path(), direct.path().join("link")).unwrap();
    assert_eq!(create(&direct, "link/new/deep", Value::Null).unwrap_err().kind, FailureKind::Refused);
    assert!(!elsewhere.path().join("new").exists());
}

#[test]
fn a_list_is_sorted_and_fits_the_pattern() {
    let direct = Direct::new();
    direct.write("sql/2.sql", "").write("sql/1.sql", "").write("sql/.hidden", "").write("sql/old/0.sql", "");
    assert_eq!(
        list(&direct, "sql", Value::Null).unwrap(),
        json!(["sql/.hidden", "sql/1.sql", "sql/2.sql", "sql/old/"])
    );
    assert_eq!(list(&direct, "sql/", json!({ "glob": "*.sql" })).unwrap(), json!(["sql/1.sql", "sql/2.sql"]));
    assert_eq!(
        list(&direct, "sql", json!({ "glob": "**/*.sql" })).unwrap(),
        json!(["sql/1.sql", "sql/2.sql", "sql/old/0.sql"])
    );
    assert_eq!(list(&direct, "sql", json!({ "glob": "old/*" })).unwrap(), json!(["sql/old/0.sql"]));
}

#[test]
fn what_cannot_be_listed_says_why() {
    let direct = Direct::new();
    direct.write("a", "");
    assert_eq!(list(&direct, "nowhere", Value::Null).unwrap_err().message, "there is no folder `nowhere`");
    assert_eq!(list(&direct, "a", Value::Null).unwrap_err().message, "`a` is a file, not a folder");
    assert_eq!(list(&direct, ".", json!({ "glob": "[" })).unwrap_err().message, "option `glob` is no pattern: `[`");
}

#[test]
fn a_full_folder_needs_the_option_to_be_removed() {
    let direct = Direct::new();
    direct.write("build/x/y", "");
    let failure = remove(&direct, "build", Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(failure.message, "the folder `build` is not empty");
    assert_eq!(failure.hints, ["pass `recursive: true` to remove what it holds too"]);
    assert_eq!(remove(&direct, "build", json!({ "recursive": true })).unwrap(), Some(true));
    assert_eq!(remove(&direct, "build", json!({ "recursive": true })).unwrap(), Some(false));
}

#[test]
fn precious_folders_are_refused_whatever_the_options() {
    let direct = Direct::new();
    direct.write(".runbook/journal", "").write("keep", "");
    let options = json!({ "recursive": true, "outside": true });
    for (path, message) in [
        ("/", "`/` is `/`, a folder of the system"),
        ("/etc", "`/etc` is `/etc`, a folder of the system"),
        ("/usr/..", "`/usr/..` is `/`, a folder of the system"),
        (".", "`.` holds the project itself"),
        (".runbook", "`.runbook` holds the run log of this project"),
    ] {
        let failure = remove(&direct, path, options.clone()).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Refused, message));
    }
    assert!(direct.path().join("keep").exists());
}

#[test]
fn a_folder_outside_the_project_needs_the_option() {
    let (direct, elsewhere) = (Direct::new(), tempfile::tempdir().unwrap());
    let path = elsewhere.path().join("old");
    std::fs::create_dir(&path).unwrap();
    let path = path.to_str().unwrap();
    let failure = remove(&direct, path, Value::Null).unwrap_err();
    assert_eq!(failure.message, format!("`{path}` lies outside the project"));
    assert_eq!(failure.hints, ["pass `outside: true` if that is meant"]);
    assert_eq!(remove(&direct, path, json!({ "outside": true })).unwrap(), Some(true));
}

#[test]
fn links_are_left_to_the_file_and_what_they_lead_to_is_kept() {
    let (direct, elsewhere) = (Direct::new(), tempfile::tempdir().unwrap());
    std::fs::write(elsewhere.path().join("precious"), "").unwrap();
    symlink(elsewhere.path(), direct.path().join("link")).unwrap();
    for written in ["link", "link/", "link//"] {
        let failure = remove(&direct, written, json!({ "recursive": true, "outside": true })).unwrap_err();
        assert_eq!(failure.message, format!("`{written}` is a link, not a folder"));
        assert_eq!(failure.hints, [format!("use `file({written:?}).remove()`")]);
    }
    std::fs::create_dir(direct.path().join("build")).unwrap();
    symlink(elsewhere.path(), direct.path().join("build/link")).unwrap();
    remove(&direct, "build", json!({ "recursive": true })).unwrap();
    assert!(elsewhere.path().join("precious").exists());
}

#[test]
fn what_is_mounted_below_is_not_removed() {
    let direct = Direct::new();
    let inner = direct.path().join("build/data");
    std::fs::create_dir_all(&inner).unwrap();
    let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&inner).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return skip("to run as root, to mount a file system");
    }
    std::fs::write(inner.join("precious"), "").unwrap();
    let failure = remove(&direct, "build", json!({ "recursive": true })).unwrap_err();
    let is_kept = inner.join("precious").exists();
    assert!(std::process::Command::new("umount").arg(&inner).status().unwrap().success());
    assert!(is_kept);
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.ends_with("/build/data` inside `build` is mounted from elsewhere"), "{}", failure.message);
}

#[test]
fn a_script_walks_what_it_listed() {
    let project = Project::script(
        r#"folder("sql/old").create(#{ mode: "0750" });
file("sql/2.sql").write("two");
file("sql/1.sql").write("one");
for path in folder("sql").list(#{ glob: "*.sql" }) { info(`${path} holds ${file(path).read()}`) }
folder("sql").remove(#{ recursive: true });
folder("/").remove(#{ recursive: true, outside: true });"#,
    );
    let ran = project.run().code(1).says("sql/1.sql holds one").says("sql/2.sql holds two");
    ran.says("`/` is `/`, a folder of the system");
    assert!(!project.path().join("sql").exists());
}
