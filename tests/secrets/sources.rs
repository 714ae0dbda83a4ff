//! Values of secrets from the environment, `.env` files, folders of files and commands.

use std::path::Path;
use std::time::{Duration, Instant};

use runbook::failure::{Failure, FailureKind};
use runbook::project::{Project, ProjectFile};
use runbook::secrets::Sources;

/// The project of a folder whose project file has these lines, with its only environment.
fn project(folder: &Path, environment: &str, secrets: &str) -> Project {
    let text = format!("[env.{environment}]\n[secrets]\n{secrets}\n");
    let file = ProjectFile::parse(&text, "shop").unwrap();
    let environment = file.environment(None).unwrap();
    Project::new(folder.to_owned(), file, environment)
}

fn sources(folder: &Path, secrets: &str) -> Sources {
    Sources::of(&project(folder, "demo", secrets)).unwrap()
}

fn value(sources: &Sources, name: &str) -> String {
    sources.get(name).unwrap().text.expose().to_owned()
}

fn failure(sources: &Sources, name: &str) -> Failure {
    sources.get(name).expect_err("a failure")
}

/// Everything a failure says.
fn all_of(failure: &Failure) -> String {
    format!("{failure:?}")
}

#[test]
fn the_first_source_that_has_a_value_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "A=from-dotenv\nB=from-dotenv\nEMPTY=\n").unwrap();
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    for name in ["B", "C", "EMPTY", "not-a-name"] {
        std::fs::write(folder.path().join("secrets").join(name), "from-file\n").unwrap();
    }
    let sources = sources(
        folder.path(),
        r#"sources = [{ from = "dotenv", file = ".env" }, { from = "files", folder = "secrets" }]"#,
    );
    assert_eq!(value(&sources, "A"), "from-dotenv");
    assert_eq!(value(&sources, "B"), "from-dotenv");
    assert_eq!(value(&sources, "C"), "from-file");
    assert_eq!(value(&sources, "EMPTY"), "from-file", "an empty value counts as none");
    assert_eq!(sources.get("C").unwrap().source, "the folder `secrets`");
    assert_eq!(sources.names().unwrap(), ["A", "B", "C", "EMPTY"]);
}

#[test]
fn a_missing_secret_tells_who_was_asked_what_was_near_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "JWT_SECRET_KEY=x\nEMPTY=\n").unwrap();
    let sources = sources(
        folder.path(),
        r#"sources = [
            { from = "dotenv", file = ".env" },
            { from = "files", folder = "gone" },
            { from = "files", folder = "$RUNBOOK_TEST_NOT_SET" },
            { from = "environment" },
        ]"#,
    );
    let said = all_of(&failure(&sources, "JWT_SECRET_KEI"));
    assert_eq!(
        said,
        "NotFound: there is no secret `JWT_SECRET_KEI` for the environment `demo`
  hint: did you mean `JWT_SECRET_KEY`?
  hint: add `JWT_SECRET_KEI=…` to `.env`
  hint: put it into the file `gone/JWT_SECRET_KEI`
  hint: put it into the file `$RUNBOOK_TEST_NOT_SET/JWT_SECRET_KEI`
  hint: set the environment variable `JWT_SECRET_KEI` where `runbook` is started
  asked: `.env`: nothing
the folder `gone`, which is not there: nothing
the folder `$RUNBOOK_TEST_NOT_SET`, which is not set: nothing
the environment variables of this process: nothing"
    );
    assert!(all_of(&failure(&sources, "EMPTY")).contains("`.env`: empty"));
}

#[test]
fn what_cannot_be_a_name_is_not_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("outside"), "never-read").unwrap();
    let sources = sources(folder.path(), r#"sources = [{ from = "files", folder = "inside" }]"#);
    let failure = failure(&sources, "../outside");
    assert_eq!(failure.kind, FailureKind::Argument);
    assert_eq!(failure.message, r#""../outside" cannot be the name of a secret"#);
}

#[test]
fn environment_variables_may_have_a_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let prefixed = sources(folder.path(), r#"sources = [{ from = "environment", prefix = "CARGO_" }]"#);
    assert_eq!(value(&prefixed, "MANIFEST_DIR"), env!("CARGO_MANIFEST_DIR"));
    assert!(prefixed.names().unwrap().contains(&"MANIFEST_DIR".to_owned()));
    let said = all_of(&failure(&prefixed, "NO_SUCH_THING"));
    assert!(said.contains("set the environment variable `CARGO_NO_SUCH_THING` where `runbook` is started"), "{said}");

    let usual = sources(folder.path(), "");
    assert_eq!(value(&usual, "CARGO_MANIFEST_DIR"), env!("CARGO_MANIFEST_DIR"));
    assert!(usual.names().unwrap().is_empty(), "which variables are secrets is not known");
}

#[test]
fn a_file_of_variables_is_read_as_compose_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = "A='x $B # y'\nC=\"two\\nlines\"\nA2=${C} and more\nD=old\nD=new # a comment\n";
    std::fs::write(folder.path().join(".env"), text).unwrap();
    let sources = sources(folder.path(), r#"sources = [{ from = "dotenv", file = ".env" }]"#);
    assert_eq!(value(&sources, "A"), "x $B # y");
    assert_eq!(value(&sources, "C"), "two\nlines");
    assert_eq!(value(&sources, "D"), "new");
}

#[test]
fn a_broken_file_of_variables_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "A=1\nB C=2\n").unwrap();
    let project = project(folder.path(), "demo", r#"sources = [{ from = "dotenv", file = ".env" }]"#);
    let failure = Sources::of(&project).err().expect("a failure");
    assert_eq!(failure.message, ".env:2: the name `B C` contains a space");
}

#[test]
fn a_file_loses_one_line_break_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("ONE", " a \n"), ("TWO", "a\n\n"), ("CRLF", "a\r\n"), ("NONE", "größer")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let sources = sources(folder.path(), r#"sources = [{ from = "files", folder = "." }]"#);
    assert_eq!(value(&sources, "ONE"), " a ");
    assert_eq!(value(&sources, "TWO"), "a\n");
    assert_eq!(value(&sources, "CRLF"), "a");
    assert_eq!(value(&sources, "NONE"), "größer");
}

#[test]
fn a_file_that_is_no_text_is_refused_and_so_is_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("BINARY"), b"\xff\xfe").unwrap();
    std::fs::write(folder.path().join("LARGE"), "x".repeat((128 << 10) + 1)).unwrap();
    let pipe = folder.path().join("PIPE");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let sources = sources(folder.path(), r#"sources = [{ from = "files", folder = "." }]"#);
    assert!(failure(&sources, "BINARY").message.contains("is not text"));
    assert!(failure(&sources, "LARGE").message.contains("is larger than"));
    assert!(failure(&sources, "PIPE").message.contains("is a pipe, not a file"));
}

#[test]
fn a_command_prints_the_value_and_its_arguments_name_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let sources = sources(
        folder.path(),
        r#"sources = [{ from = "command", argv = ["printf", "%s of %s in %s\n", "{name}", "{env}", "x;y"] }]"#,
    );
    assert_eq!(value(&sources, "TOKEN"), "TOKEN of demo in x;y");
    assert!(sources.names().unwrap().is_empty());
}

#[test]
fn a_command_is_asked_for_its_own_names_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "OTHER=from-dotenv\n").unwrap();
    let sources = sources(
        folder.path(),
        r#"sources = [
            { from = "command", argv = ["echo", "the-token"], names = ["TOKEN"] },
            { from = "dotenv", file = ".env" },
        ]"#,
    );
    assert_eq!(value(&sources, "TOKEN"), "the-token");
    assert_eq!(value(&sources, "OTHER"), "from-dotenv");
    assert_eq!(sources.names().unwrap(), ["OTHER", "TOKEN"]);
}

#[test]
fn a_command_that_fails_shows_nothing_of_what_it_printed_and_no_other_source_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "TOKEN=from-dotenv\n").unwrap();
    let sources = sources(
        folder.path(),
        r#"sources = [
            { from = "command", argv = ["sh", "-c", "echo hunter2-out; echo hunter2-err >&2; exit 3", "{name}"] },
            { from = "dotenv", file = ".env" },
        ]"#,
    );
    let failure = failure(&sources, "TOKEN");
    assert_eq!(failure.kind, FailureKind::Exit);
    assert!(failure.message.ends_with("exited with code 3"), "{failure:?}");
    assert!(failure.evidence.is_empty(), "{failure:?}");
}

#[test]
fn a_command_that_hangs_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let sources = sources(
        folder.path(),
        r#"sources = [{ from = "command", argv = ["sleep", "60"], names = ["TOKEN"], timeout = "200ms" }]"#,
    );
    let began = Instant::now();
    let failure = failure(&sources, "TOKEN");
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(failure.message, "`sleep 60` has not printed the secret `TOKEN` within 200ms");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_command_that_prints_no_text_or_too_much_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let printing = |script: &str| {
        let setting =
            format!(r#"sources = [{{ from = "command", argv = ["sh", "-c", '''{script}'''], names = ["T"] }}]"#);
        failure(&sources(folder.path(), &setting), "T").message
    };
    assert!(printing(r"printf '\377\376'").ends_with("is not text"));
    assert!(printing("head -c 200000 /dev/zero").ends_with("is larger than 128 KiB"));
    assert!(printing("printf 'a\\0b'").ends_with("no environment and no file of variables can carry"));
    let failure = failure(
        &sources(folder.path(), r#"sources = [{ from = "command", argv = ["no-such-program-here"], names = ["T"] }]"#),
        "T",
    );
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[test]
fn a_short_value_is_refused_for_production() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "SHORT=seven77\nLONG=eight888\n").unwrap();
    let setting = r#"sources = [{ from = "dotenv", file = ".env" }]"#;
    assert_eq!(value(&sources(folder.path(), setting), "SHORT"), "seven77");
    for environment in ["prod", "production", "live]\nprotected = true\n[env.live.more"] {
        let sources = Sources::of(&project(folder.path(), environment, setting)).unwrap();
        assert_eq!(value(&sources, "LONG"), "eight888");
        let failure = failure(&sources, "SHORT");
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(
            failure.message.starts_with("the secret `SHORT` is shorter than 8 characters, which is too short for"),
            "{failure:?}"
        );
        assert!(!all_of(&failure).contains("seven77"));
    }
}

#[test]
fn an_environment_may_have_sources_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("general"), "A=general-value\n").unwrap();
    std::fs::write(folder.path().join("own"), "A=own-value\n").unwrap();
    let text = r#"
        [env.demo]
        [env.prod]
        [secrets]
        sources = [{ from = "dotenv", file = "general" }]
        [secrets.env.prod]
        sources = [{ from = "dotenv", file = "own" }]
    "#;
    let file = ProjectFile::parse(text, "shop").unwrap();
    let of = |name| {
        let project = Project::new(folder.path().to_owned(), file.clone(), file.environment(Some(name)).unwrap());
        value(&Sources::of(&project).unwrap(), "A")
    };
    assert_eq!((of("demo"), of("prod")), ("general-value".to_owned(), "own-value".to_owned()));
}

#[test]
fn a_setting_that_cannot_be_meant_is_refused() {
    let problem = |secrets: &str| {
        ProjectFile::parse(&format!("[env.demo]\n[secrets]\n{secrets}"), "shop").map(|_| ()).unwrap_err().message
    };
    assert!(problem(r#"sources = [{ from = "vault" }]"#).contains("`vault` is none of the words that may stand here"));
    assert!(problem(r#"sources = [{ from = "dotenv" }]"#).contains("the key `file` is missing"));
    assert!(
        problem(r#"sources = [{ from = "dotenv", file = ".env", fiel = 1 }]"#)
            .contains(": there is no key `fiel` here")
    );
    assert!(
        problem(r#"sources = [{ from = "command", argv = [] }]"#).contains("`argv` of a source of secrets is empty")
    );
    assert!(
        problem(r#"sources = [{ from = "command", argv = ["op", "read"] }]"#)
            .starts_with("runbook.toml: `op` would print the same for every secret")
    );
    assert!(
        problem(r#"sources = [{ from = "command", argv = ["op", "{name}"], timeout = "0s" }]"#)
            .contains("is no time at all")
    );
    assert!(
        problem("[secrets.env.prdo]\nsources = []")
            .starts_with("runbook.toml: [secrets.env.prdo] is for an environment")
    );
}
