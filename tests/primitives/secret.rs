//! `secret`: a value that a script moves about without ever having it.

use std::process::Command;

use crate::harness::{Project, skip};

pub const VALUE: &str = "S3cr3t-V4lue+/=abc'$x";

pub fn project(script: &str) -> Project {
    Project::script(script).env("DB_PASSWORD", VALUE).env("API_TOKEN", "another-token-0123456789")
}

/// Runs the script and looks for the secret everywhere that something is shown or stored.
#[track_caller]
pub fn runs(script: &str) -> Project {
    let project = project(script);
    project.run().success().never_says(VALUE);
    is_nowhere(&project);
    project
}

#[track_caller]
pub fn refused(script: &str, why: &str) {
    let project = project(script);
    project.run().code(1).says(why).never_says(VALUE);
    is_nowhere(&project);
}

#[track_caller]
pub fn is_nowhere(project: &Project) {
    let mut open = vec![project.path().join(".runbook")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes.windows(10).any(|window| VALUE.as_bytes().windows(10).any(|part| part == window)),
            "{}",
            path.display()
        );
    }
    for command in [&["show", "1", "--calls"][..], &["show", "1", "--json"], &["logs", "1"]] {
        let shown = project.runbook(command);
        assert!(!shown.stdout.contains(&VALUE[..10]), "{}", shown.stdout);
    }
}

#[test]
fn it_reaches_the_environment_and_the_input_of_a_program() {
    let project = runs(
        r#"let password = secret("DB_PASSWORD");
        let script = "printf %s \"$PW\" > env; cat > input; test \"$PW\" = \"$(cat input)\"";
        sh(["sh", "-c", script], #{ env: #{ PW: password }, stdin: password });"#,
    );
    assert_eq!((project.read("env").as_str(), project.read("input").as_str()), (VALUE, VALUE));
}

#[test]
fn strings_maps_and_lists_carry_it() {
    let project = runs(
        r#"let password = secret("DB_PASSWORD");
        let joined = "a:"; joined += password; joined += ":b";
        let replaced = "P=@@"; replaced.replace("@@", password);
        let parts = `x,${password},y`.split(",");
        let map = #{ url: `postgres://app:${password}@db/app` };
        let sum = password + "/" + password + secret("API_TOKEN");
        let lines = ""; for line in [joined, replaced, parts[1], map.url, sum] { lines += line + "\n"; }
        file("out").write(lines, #{ mode: "0600" });"#,
    );
    let wanted = [
        format!("a:{VALUE}:b"),
        format!("P={VALUE}"),
        VALUE.to_owned(),
        format!("postgres://app:{VALUE}@db/app"),
        format!("{VALUE}/{VALUE}another-token-0123456789"),
    ];
    assert_eq!(project.read("out").lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn it_may_not_stand_anywhere_else() {
    for (call, place) in [
        (r#"sh(["echo", SECRET])"#, "`argv` of `sh`"),
        (r#"sh(["echo", `--password=${SECRET}`])"#, "`argv` of `sh`"),
        ("info(`it is ${SECRET}`)", "`text` of `info`"),
        (r#"step("with " + SECRET, || 1)"#, "`name` of `step`"),
        (r#"file("x-" + SECRET).exists()"#, "`path` of `file`"),
        (r#"http_check("http://127.0.0.1:1/?t=" + SECRET)"#, "`url` of `http_check`"),
        (r#"sh(["true"], #{ cwd: `${SECRET}` })"#, "`cwd` of `sh`"),
    ] {
        let why = format!("the secret `DB_PASSWORD` may not stand in {place}");
        // Where the script says it in so many words, nothing is run at all.
        let written = project(&call.replace("SECRET", r#"secret("DB_PASSWORD")"#));
        written.run().code(2).says(&why).says("misplaced-secret");
        refused(&format!(r#"let map = #{{ s: secret("DB_PASSWORD") }}; {}"#, call.replace("SECRET", "map.s")), &why);
    }
}

#[test]
fn the_refusal_says_where_it_may_stand() {
    for (call, hint) in [
        (
            r#"sh(["echo", SECRET])"#,
            "of `sh` it may stand in `env` (the environment of the program), `stdin` (its standard input)",
        ),
        (r#"file("out").write(SECRET)"#, "give the file `mode: \"0600\"`, so that nobody else can read it"),
    ] {
        project(&call.replace("SECRET", r#"secret("DB_PASSWORD")"#)).run().code(2).says(hint);
        let known_later = format!(r#"let map = #{{ s: secret("DB_PASSWORD") }}; {}"#, call.replace("SECRET", "map.s"));
        project(&known_later).run().code(1).says(hint);
    }
}

#[test]
fn it_is_no_name() {
    refused(
        r#"let map = #{}; map[`${secret("DB_PASSWORD")}`] = "x"; sh(["true"], #{ env: map })"#,
        "`env` has the secret `DB_PASSWORD` as a name",
    );
}

#[test]
fn a_piece_of_one_is_an_error_and_never_written() {
    for change in [
        "let part = text.sub_string(0, 8);",
        "let part = text; part.crop(3);",
        "let part = \"\"; for letter in text.chars() { part = letter + part; }",
        "let part = text[2];",
    ] {
        let script = format!(
            r#"let text = `${{secret("DB_PASSWORD")}}`; {change} file("out").write(`${{part}}`, #{{ mode: "0600" }});"#
        );
        refused(&script, "a piece of a secret");
        let printed = format!(r#"let text = `${{secret("DB_PASSWORD")}}`; {change} print(`${{part}}`);"#);
        project(&printed).run().success().says("⟨a piece of a secret⟩");
    }
}

#[test]
fn what_is_printed_is_its_name() {
    let script = r#"print(`it is ${secret("DB_PASSWORD")}`); print(secret("API_TOKEN").base64());"#;
    project(script).run().success().says("it is ⟨secret DB_PASSWORD⟩").says("⟨secret base64(API_TOKEN)⟩");
}

#[test]
fn a_text_that_looks_like_the_name_of_one_is_none() {
    let project = project(
        r#"secret("DB_PASSWORD"); let seen = file("in").read();
        file("out").write(seen, #{ mode: "0600" });"#,
    )
    .file("in", "⟨secret DB_PASSWORD⟩");
    project.run().success();
    assert_eq!(project.read("out"), "⟨secret DB_PASSWORD⟩");
}

#[test]
fn what_a_program_says_of_it_is_concealed_and_works_all_the_same() {
    let project = runs(
        r#"let told = sh(["sh", "-c", "printf 'pw=%s' \"$PW\"; printf %s \"$PW\" >&2"], #{ env: #{ PW: secret("DB_PASSWORD") } });
        file("out").write(told.stdout + "|" + told.stderr, #{ mode: "0600" });
        try { sh(["sh", "-c", "echo \"$PW\" >&2; exit 3"], #{ env: #{ PW: secret("DB_PASSWORD") } }) }
        catch (error) { print(error.message); }"#,
    );
    assert_eq!(project.read("out"), format!("pw={VALUE}|{VALUE}"));
}

#[test]
fn one_that_is_not_there_is_named() {
    project(r#"secret("NO_SUCH")"#).run().code(1).says("`NO_SUCH`");
    project(r#"secret("A B")"#).run().code(1).says("\"A B\" cannot be the name of a secret");
}

#[test]
fn what_is_made_of_it_is_a_secret_too() {
    let project = runs(
        r#"let password = secret("DB_PASSWORD");
        let made = [password.base64(), password.url_encode(), password.sha256(), password.bcrypt(4),
            secret_join(["ops", password], ":").base64()];
        let text = ""; for one in made { text += one + "\n"; }
        file("out").write(text, #{ mode: "0600" });"#,
    );
    let out = project.read("out");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "UzNjcjN0LVY0bHVlKy89YWJjJyR4");
    assert_eq!(lines[1], "S3cr3t-V4lue%2B%2F%3Dabc%27%24x");
    let digest = Command::new("sh").args(["-c", "printf %s \"$V\" | sha256sum"]).env("V", VALUE).output().unwrap();
    assert!(String::from_utf8_lossy(&digest.stdout).starts_with(lines[2]));
    assert!(lines[3].starts_with("$2b$04$"));
    assert_eq!(lines[4], "b3BzOlMzY3IzdC1WNGx1ZSsvPWFiYyckeA==");
    project.run().success().says("unchanged");
    assert_eq!(project.read("out"), out, "the salt is the same as long as the secret is");
}

#[test]
fn apache_takes_the_line_for_its_users() {
    let project = runs(r#"file("users").write(secret("DB_PASSWORD").htpasswd("ops") + "\n", #{ mode: "0600" });"#);
    let verify = |password: &str| {
        Command::new("htpasswd").args(["-vb"]).arg(project.path().join("users")).args(["ops", password]).output()
    };
    let Ok(right) = verify(VALUE) else { return skip("htpasswd (apt-get install apache2-utils)") };
    assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stderr));
    assert!(!verify("wrong").unwrap().status.success());
}

#[test]
fn what_cannot_be_made_of_it_is_said() {
    refused(r#"secret("DB_PASSWORD").bcrypt(3)"#, "argument `cost` must be between 4 and 31, got 3");
    refused(r#"secret("DB_PASSWORD").htpasswd("a:b")"#, "argument `user`: \"a:b\" cannot be a user's name");
    refused(r#"let one = secret("DB_PASSWORD"); secret_join([one, one, one, one]).bcrypt()"#, "longer than 72 bytes");
}

#[test]
fn a_run_that_goes_on_has_its_secrets_again() {
    let project = project(
        r#"let password = secret("DB_PASSWORD");
        let told = sh(["sh", "-c", "echo once >> count; printf 'is %s' \"$PW\""], #{ env: #{ PW: password } });
        let header = secret_join(["u", password], ":").base64();
        sh(["sh", "-c", "until [ -e go ]; do touch waiting; sleep 0.05; done"], #{ idempotent: true });
        file("out").write(told.stdout + "|" + header, #{ mode: "0600" });"#,
    );
    let mut child = project.command(&["run", "test.rhai"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let began = std::time::Instant::now();
    while !project.path().join("waiting").exists() {
        assert!(began.elapsed().as_secs() < 60);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(project.path().join("go"), "").unwrap();
    project.runbook(&["resume"]).success().never_says(VALUE);
    assert_eq!(project.read("out"), format!("is {VALUE}|dTpTM2NyM3QtVjRsdWUrLz1hYmMnJHg="));
    assert_eq!(project.read("count"), "once\n");
    is_nowhere(&project);
}

#[test]
fn a_plan_names_it_and_is_stale_when_it_changed() {
    let script = r#"file("out").write("p=" + secret("DB_PASSWORD"), #{ mode: "0600" });"#;
    let planned = project(script);
    let plan = planned.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
    assert!(!plan.stdout.contains(VALUE) && !planned.read("plan.json").contains(&VALUE[..10]));
    let stale = planned.env("DB_PASSWORD", "another-value-than-before");
    stale.runbook(&["run", "test.rhai", "--plan", "plan.json"]).code(2).says("stale");
    let same = stale.env("DB_PASSWORD", VALUE);
    same.runbook(&["run", "test.rhai", "--plan", "plan.json"]).success();
    assert_eq!(same.read("out"), format!("p={VALUE}"));
}

#[test]
fn one_that_was_given_as_a_parameter_is_told_as_known_to_the_run_log() {
    let script = "//! Tries.\n//! @param password: string\n\nsecret(\"DB_PASSWORD\");\nfile(\"done\").write(\"\");\n";
    let parameter = format!("--password={VALUE}");
    let project = Project::script(script).env("DB_PASSWORD", VALUE);
    let ran = project.runbook(&["run", "test.rhai", &parameter]).code(1);
    ran.says("a parameter of this run holds the secret `DB_PASSWORD`").says("runbook secret rotate DB_PASSWORD");
    assert!(!project.path().join("done").exists());
    project.runbook(&["run", "test.rhai", "--password=another"]).success();
}
