use std::path::Path;

use runbook::drivers::disk::short_name;
use runbook::primitive::{Failure, FailureKind, Outcome, Probe};
use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive};

/// Runs git in `folder` as a person would, with nothing of this machine's settings.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A project with a repository of two commits: `v1` and, checked out, `v2`.
fn project() -> Direct {
    let direct = Direct::new();
    git(direct.path(), &["init", "-q"]);
    direct.write("app.txt", "one\n").write("bin/run", "#!/bin/sh\n").write(".gitignore", "/releases\n");
    std::fs::set_permissions(direct.path().join("bin/run"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    std::os::unix::fs::symlink("app.txt", direct.path().join("link")).unwrap();
    git(direct.path(), &["add", "-A"]);
    git(direct.path(), &["commit", "-qm", "one"]);
    git(direct.path(), &["tag", "v1"]);
    direct.write("app.txt", "two\n");
    git(direct.path(), &["commit", "-qam", "two"]);
    git(direct.path(), &["tag", "-a", "v2", "-m", "two"]);
    direct
}

fn here() -> Value {
    json!({ "$kind": "git", "path": "." })
}

fn ask(direct: &Direct, method: &str, args: Value, options: Value) -> Value {
    direct.method(method, here(), args, options).unwrap().value
}

fn checkout(direct: &Direct, revision: &str, folder: &str) -> Result<Outcome, Failure> {
    direct.method("git.checkout", here(), json!([revision, folder]), Value::Null)
}

fn read(direct: &Direct, path: &str) -> String {
    std::fs::read_to_string(direct.path().join(path)).unwrap()
}

#[test]
fn a_repository_is_named_without_being_touched() {
    let direct = Direct::new();
    assert_eq!(direct.call(primitive("git"), json!([]), Value::Null).unwrap().value, here());
}

#[test]
fn revisions_are_those_git_names() {
    let direct = project();
    let (first, second) = (git(direct.path(), &["rev-parse", "v1"]), git(direct.path(), &["rev-parse", "HEAD"]));
    assert_eq!(ask(&direct, "git.revision", json!([]), Value::Null), second);
    assert_eq!(ask(&direct, "git.revision", json!(["v1"]), Value::Null), first);
    assert_eq!(ask(&direct, "git.revision", json!(["v2"]), Value::Null), second, "an annotated tag is its commit");
    assert_eq!(ask(&direct, "git.revision", json!(["main"]), json!({ "short": true })), second[..7]);
}

#[test]
fn branch_tags_and_description() {
    let direct = project();
    assert_eq!(ask(&direct, "git.branch", json!([]), Value::Null), "main");
    assert_eq!(ask(&direct, "git.tags", json!([]), Value::Null), json!(["v2", "v1"]));
    assert_eq!(ask(&direct, "git.tags", json!([]), json!({ "pattern": "*1" })), json!(["v1"]));
    assert_eq!(ask(&direct, "git.tags", json!([]), json!({ "pattern": "x*" })), json!([]));
    assert_eq!(ask(&direct, "git.describe", json!([]), Value::Null), "v2");
    direct.write("app.txt", "changed\n");
    assert_eq!(ask(&direct, "git.describe", json!([]), Value::Null), "v2-dirty");
    git(direct.path(), &["checkout", "-qf", "v1"]);
    assert_eq!(ask(&direct, "git.branch", json!([]), Value::Null), Value::Null);
}

#[test]
fn every_kind_of_change_is_listed() {
    let direct = project();
    assert_eq!(ask(&direct, "git.is_clean", json!([]), Value::Null), true);
    direct.write("app.txt", "changed\n").write("new ü.txt", "").write("releases/ignored", "");
    git(direct.path(), &["mv", "bin/run", "bin/start"]);
    std::fs::remove_file(direct.path().join("link")).unwrap();
    assert_eq!(ask(&direct, "git.is_clean", json!([]), Value::Null), false);
    assert_eq!(
        ask(&direct, "git.changes", json!([]), Value::Null),
        json!([
            { "path": "app.txt", "status": "modified" },
            { "path": "bin/start", "status": "renamed" },
            { "path": "link", "status": "deleted" },
            { "path": "new ü.txt", "status": "untracked" },
        ])
    );
}

#[test]
fn a_revision_is_copied_and_the_work_tree_stays() {
    let direct = project();
    direct.write("app.txt", "not committed\n").write("staged", "");
    git(direct.path(), &["add", "staged"]);
    let before = git(direct.path(), &["status", "--porcelain"]);
    let outcome = checkout(&direct, "v1", "releases/v1").unwrap();
    let commit = git(direct.path(), &["rev-parse", "v1"]);
    assert_eq!(outcome.value, json!({ "$kind": "folder", "path": "releases/v1", "revision": commit, "changed": true }));
    assert_eq!(read(&direct, "releases/v1/app.txt"), "one\n");
    assert!(direct.path().join("releases/v1/link").is_symlink());
    let mode = std::os::unix::fs::MetadataExt::mode(&direct.path().join("releases/v1/bin/run").metadata().unwrap());
    assert_eq!(mode & 0o111, 0o111);
    assert!(!direct.path().join("releases/v1/.git").exists());
    assert_eq!(std::fs::read_dir(direct.path().join("releases")).unwrap().count(), 1, "no draft is left");
    assert_eq!(git(direct.path(), &["status", "--porcelain"]), before);
    assert_eq!(read(&direct, "app.txt"), "not committed\n");
}

#[test]
fn the_same_revision_again_changes_nothing() {
    let direct = project();
    checkout(&direct, "v1", "releases/v1").unwrap();
    let outcome = checkout(&direct, "v1", "releases/v1").unwrap();
    assert_eq!((outcome.changed, outcome.value["changed"].as_bool()), (Some(false), Some(false)));
}

#[test]
fn a_checkout_that_died_returns_what_it_would_have_and_leaves_nothing() {
    let direct = project();
    let probe = || direct.probe(primitive("git.checkout"), here(), json!(["v1", "releases/v1"])).unwrap();
    let left = direct.path().join(format!("releases/.runbook-{}", short_name(&direct.key())));
    std::fs::create_dir_all(left.join("tree")).unwrap();
    std::fs::write(left.join("tree/app.txt"), "ha").unwrap();
    assert!(matches!(probe(), Probe::NotDone), "died while it collected the files");
    assert!(!left.exists());
    std::fs::create_dir_all(left.join("tree/old")).unwrap();
    let args = || json!(["v1", "releases/v1"]);
    direct.dies_before_its_effect("git.checkout", here(), args(), Value::Null);
    assert!(matches!(probe(), Probe::NotDone), "died before it put the folder in its place");
    let predicted = direct.predict("git.checkout", here(), args(), Value::Null).unwrap();
    let outcome = direct.again("git.checkout", here(), args(), Value::Null).unwrap();
    assert_eq!((predicted.value, &predicted.changes), (outcome.value.clone(), &outcome.changes));
    assert_eq!(outcome.changes[0].what, "folder releases/v1");
    let Probe::Done(found) = probe() else { panic!("died after the folder was in its place") };
    assert_eq!((found.value, found.changed, found.changes), (outcome.value, Some(true), outcome.changes));
    assert!(!direct.path().join("releases/v1/old").exists());
    assert!(direct.predict("git.checkout", here(), args(), Value::Null).unwrap().changes.is_empty());
    direct.anew();
    assert!(matches!(probe(), Probe::NotDone), "it was there before");
}

#[test]
fn a_folder_with_something_else_is_in_the_way() {
    let direct = project();
    checkout(&direct, "v1", "releases/current").unwrap();
    let failure = checkout(&direct, "v2", "releases/current").unwrap_err();
    let commit = git(direct.path(), &["rev-parse", "v1"]);
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(failure.message, format!("`releases/current` is in the way: it holds revision {commit}"));
    assert_eq!(failure.hints[1], "or remove it first: `folder(\"releases/current\").remove(#{ recursive: true })`");
    let failure = checkout(&direct, "v2", "bin").unwrap_err();
    assert_eq!(failure.message, "`bin` is in the way");
    assert_eq!(read(&direct, "releases/current/app.txt"), "one\n");
    std::fs::create_dir(direct.path().join("releases/empty")).unwrap();
    assert_eq!(checkout(&direct, "v2", "releases/empty").unwrap().changed, Some(true));
}

#[test]
fn a_bare_repository_can_be_checked_out() {
    let direct = project();
    git(direct.path(), &["clone", "-q", "--bare", ".", "releases/bare.git"]);
    let bare = json!({ "$kind": "git", "path": "releases/bare.git" });
    direct.method("git.checkout", bare, json!(["v2", "releases/v2"]), Value::Null).unwrap();
    assert_eq!(read(&direct, "releases/v2/app.txt"), "two\n");
}

#[test]
fn a_checkout_that_fails_leaves_nothing() {
    let direct = project();
    let blob = git(direct.path(), &["rev-parse", "v1:app.txt"]);
    std::fs::remove_file(direct.path().join(format!(".git/objects/{}/{}", &blob[..2], &blob[2..]))).unwrap();
    let failure = checkout(&direct, "v1", "releases/v1").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    assert_eq!(failure.message, "`git checkout-index` exited with code 1");
    assert!(failure.evidence[0].text.contains(&blob), "{failure:?}");
    assert_eq!(std::fs::read_dir(direct.path().join("releases")).unwrap().count(), 0);
}

#[test]
fn an_unknown_revision_gets_its_near_name() {
    let direct = project();
    git(direct.path(), &["tag", "release-2026"]);
    let failure = checkout(&direct, "release-2025", "releases/x").unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert_eq!(failure.message, "the repository `.` knows no revision `release-2025`");
    assert_eq!(
        failure.hints,
        ["did you mean `release-2026`?", "a new tag has to be fetched first: `git fetch --tags`"]
    );
    assert_eq!(
        checkout(&direct, "--help", "releases/x").unwrap_err().message,
        "`--help` cannot be the name of a revision"
    );
    assert!(!direct.path().join("releases").exists());
}

#[test]
fn a_folder_without_repository_says_so() {
    let direct = Direct::new();
    let call = |method: &str| direct.method(method, here(), json!([]), Value::Null).unwrap_err();
    assert_eq!(
        (call("git.revision").kind, call("git.revision").message.as_str()),
        (FailureKind::NotFound, "`.` is in no git repository")
    );
    assert_eq!(call("git.changes").message, "`.` is in no git repository");
    git(direct.path(), &["init", "-q"]);
    assert_eq!(call("git.revision").message, "the repository `.` knows no revision `HEAD`");
    assert_eq!(call("git.describe").hints, ["it has no commit yet"]);
    let nowhere = json!({ "$kind": "git", "path": "nowhere" });
    assert_eq!(
        direct.method("git.branch", nowhere, json!([]), Value::Null).unwrap_err().message,
        "there is no folder `nowhere`"
    );
}

#[test]
fn a_repository_of_another_user_says_what_to_do() {
    let direct = project();
    if std::os::unix::fs::chown(direct.path(), Some(12_345), None).is_err() {
        return crate::harness::skip("to run as root, to give a folder away");
    }
    std::os::unix::fs::chown(direct.path().join(".git"), Some(12_345), None).unwrap();
    let failure = direct.method("git.revision", here(), json!([]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert_eq!(failure.message, "git does not trust `.`: it belongs to another user");
    assert!(failure.hints[0].starts_with("`git config --global --add safe.directory /"), "{}", failure.hints[0]);
}

#[test]
fn a_script_releases_a_tag_of_its_own_repository() {
    let project = Project::script(
        r#"let repository = git();
info(`on ${repository.branch()}, clean: ${repository.is_clean()}, newest ${repository.tags()[0]}`);
let release = repository.checkout("v1", "releases/v1");
info(`${release.revision == repository.revision("v1")} ${file(release.path + "/app.txt").read()}`);
if !repository.checkout("v1", "releases/v1").changed { info("nothing to do") }
repository.checkout("v9", "releases/v9");"#,
    )
    .file("app.txt", "hello")
    .file(".gitignore", "/releases\n/.runbook\n");
    git(project.path(), &["init", "-q"]);
    git(project.path(), &["add", "-A"]);
    git(project.path(), &["commit", "-qm", "one"]);
    git(project.path(), &["tag", "v1"]);
    let ran = project.run().code(1).says("on main, clean: true, newest v1").says("true hello").says("nothing to do");
    ran.says("knows no revision `v9`");
}
