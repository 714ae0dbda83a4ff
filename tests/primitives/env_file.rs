//! `env_file`: writing, refusing, foreseeing, keeping what was there before and putting it back.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use runbook::primitive::{Action, Failure, FailureKind, Outcome, Probe, unknown, unknown_within};
use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive};

fn write(direct: &Direct, values: Value, options: Value) -> Result<Outcome, Failure> {
    direct.call(primitive("env_file"), json!([".env", values]), options)
}

fn put_back(direct: &Direct, handle: &Value) -> Result<Outcome, Failure> {
    direct.method("env_file.put_back", handle.clone(), json!([]), Value::Null)
}

fn read(direct: &Direct) -> String {
    std::fs::read_to_string(direct.path().join(".env")).unwrap()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

#[test]
fn a_new_file_is_for_its_owner_only_and_told_by_names() {
    let direct = Direct::new();
    let values = json!({ "TAG": "v1", "PORT": 8080, "DEBUG": false, "DB_PASSWORD": "P@$$ w0rd" });
    let outcome = write(&direct, values.clone(), Value::Null).unwrap();
    assert_eq!(read(&direct), "TAG=v1\nPORT=8080\nDEBUG=false\nDB_PASSWORD='P@$$ w0rd'\n");
    assert_eq!(mode(&direct.path().join(".env")), 0o600);
    assert_eq!(
        outcome.value,
        json!({ "$kind": "env_file", "path": ".env", "changed": true, "created": true, "previous": null })
    );
    assert_eq!(outcome.note.as_deref(), Some("created"));
    assert_eq!(outcome.changes[0].action, Action::Create);
    assert_eq!(outcome.changes[0].detail, ["added: DB_PASSWORD, DEBUG, PORT, TAG", "mode: 0600"]);
    assert!(direct.lines().is_empty());
}

#[test]
fn the_same_values_change_nothing() {
    let direct = Direct::new();
    write(&direct, json!({ "A": "1" }), Value::Null).unwrap();
    let before = direct.path().join(".env").metadata().unwrap();
    let outcome = write(&direct, json!({ "A": "1" }), Value::Null).unwrap();
    let after = direct.path().join(".env").metadata().unwrap();
    assert_eq!((outcome.changed, &outcome.value["changed"]), (Some(false), &json!(false)));
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    assert!(!direct.path().join(".runbook/previous").exists());
}

#[test]
fn what_was_there_before_the_run_is_kept_and_put_back() {
    let direct = Direct::new();
    direct.write(".env", "# by hand\nTAG=v1\nOLD=x\n");
    std::fs::set_permissions(direct.path().join(".env"), PermissionsExt::from_mode(0o640)).unwrap();
    let first = write(&direct, json!({ "TAG": "v2", "NEW": "y" }), Value::Null).unwrap();
    assert_eq!(first.note.as_deref(), Some("1 added, 1 changed, 1 removed"));
    assert_eq!(first.changes[0].detail, ["added: NEW", "changed: TAG", "removed: OLD", "mode: 0640 → 0600"]);
    let second = write(&direct, json!({ "TAG": "v3" }), Value::Null).unwrap();
    let kept = direct.path().join(second.value["previous"].as_str().unwrap());
    assert_eq!(first.value["previous"], second.value["previous"]);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "# by hand\nTAG=v1\nOLD=x\n");
    assert_eq!(mode(kept.parent().unwrap()), 0o700);

    for handle in [&second.value, &first.value] {
        put_back(&direct, handle).unwrap();
        assert_eq!((read(&direct).as_str(), mode(&direct.path().join(".env"))), ("# by hand\nTAG=v1\nOLD=x\n", 0o640));
    }
    assert_eq!(put_back(&direct, &first.value).unwrap().changed, Some(false));
    std::fs::remove_file(&kept).unwrap();
    let failure = put_back(&direct, &first.value).unwrap_err();
    assert!(
        failure.message.starts_with("what `.env` held before is no longer kept in `.runbook/previous/.env-"),
        "{failure}"
    );
}

#[test]
fn a_file_that_was_not_there_before_is_removed_again() {
    let direct = Direct::new();
    let outcome = write(&direct, json!({ "A": "1" }), Value::Null).unwrap();
    let put = put_back(&direct, &outcome.value).unwrap();
    assert_eq!((put.changed, put.changes[0].action), (Some(true), Action::Remove));
    assert!(!direct.path().join(".env").exists());
    assert_eq!(put_back(&direct, &outcome.value).unwrap().changed, Some(false));
    let unchanged =
        json!({ "$kind": "env_file", "path": ".env", "changed": false, "created": false, "previous": null });
    assert_eq!(put_back(&direct, &unchanged).unwrap().changed, Some(false));
}

#[test]
fn only_the_last_five_previous_files_are_kept() {
    let direct = Direct::new();
    let first = write(&direct, json!({ "A": "0" }), Value::Null).unwrap();
    assert_eq!(first.value["previous"], Value::Null);
    let second = write(&direct, json!({ "A": "1" }), Value::Null).unwrap();
    let kept = direct.path().join(second.value["previous"].as_str().unwrap());
    let folder = kept.parent().unwrap();
    for run in 0..9 {
        std::fs::rename(&kept, folder.join(format!("run-{run}-earlier"))).unwrap();
        write(&direct, json!({ "A": format!("again {run}") }), Value::Null).unwrap();
    }
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 5);
    assert_eq!(names[1..], ["run-5-earlier", "run-6-earlier", "run-7-earlier", "run-8-earlier"]);
}

#[test]
fn everything_wrong_is_told_at_once_before_anything_is_written() {
    let direct = Direct::new();
    direct.write(".env", "A=before\n");
    let values = json!({
        "CERT": "two\nlines", "1BAD": "x", "LIST": [1], "NONE": null, "API_KEY": "your-api-key", "PORT": "99999",
        "SECRET_KEY": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "LEVEL": "LOUD", "WORKERS": "two", "URL": "shop",
    });
    let schema = json!({
        "required": ["DB_PASSWORD"], "pattern": { "WORKERS": "^[0-9]+$" }, "url": ["URL"], "integer": ["WORKERS"],
        "port": ["PORT"], "one_of": { "LEVEL": ["INFO", "DEBUG"] }, "min_length": { "API_KEY": 32 },
        "min_entropy": { "SECRET_KEY": 128 }, "not_placeholder": true,
    });
    let failure = write(&direct, values, json!({ "dialect": "docker", "schema": schema })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert_eq!(
        failure.evidence[0].text,
        "`LIST` is a list, and a variable is one text\n\
         `NONE` has no value: leave it out, or give it \"\"\n\
         `DB_PASSWORD` is required and not set\n\
         `WORKERS` does not match `^[0-9]+$`\n\
         `URL` is not a URL like `scheme://host/…`\n\
         `WORKERS` is not a whole number\n\
         `PORT` is not a port: 1 to 65535\n\
         `LEVEL` must be one of `INFO`, `DEBUG`\n\
         `API_KEY` is too short: it needs at least 32 characters\n\
         `SECRET_KEY` is too easy to guess: it needs at least 128 bits of chance\n\
         `API_KEY` still holds a placeholder\n\
         `CERT` has a value that cannot be written for `docker run --env-file`: there is one line per variable, and this value has several\n\
         `1BAD` cannot be a variable of `docker run --env-file`: a name has letters, digits, `_`, `.` and `-`, and does not begin with a digit"
    );
    assert_eq!(
        failure.message,
        "13 problems with the variables of `.env`, the first one: `LIST` is a list, and a variable is one text"
    );
    assert_eq!(failure.hints, ["nothing was written"]);
    assert_eq!(read(&direct), "A=before\n");
}

#[test]
fn one_problem_is_the_message() {
    let direct = Direct::new();
    let failure = write(&direct, json!({ "A": "" }), json!({ "schema": { "required": ["A"] } })).unwrap_err();
    assert_eq!(failure.message, "`.env`: `A` is required and empty");
}

#[test]
fn other_variables_stay_in_a_merge() {
    let direct = Direct::new();
    direct.write(".env", "# the shop\nTAG=v1\n\nDEBUG=true   # for now\n");
    let outcome = write(&direct, json!({ "TAG": "v2", "NEW": "x" }), json!({ "merge": true })).unwrap();
    assert_eq!(read(&direct), "# the shop\nTAG=v2\n\nDEBUG=true   # for now\nNEW=x\n");
    assert_eq!(outcome.note.as_deref(), Some("1 added, 1 changed"));
    let failure = write(&direct, json!({ "TAG": "v2" }), json!({ "merge": true, "dialect": "dotenv" })).map(drop);
    assert!(failure.is_ok());
    direct.write(".env", "A='x\n");
    let failure = write(&direct, json!({ "TAG": "v2" }), json!({ "merge": true })).unwrap_err();
    assert_eq!(failure.message, "`.env`: line 1 of the file as it is: the value that begins with ' has no end");
}

#[test]
fn wrong_options_are_named() {
    let direct = Direct::new();
    let values = || json!({ "A": "1" });
    for (options, message) in [
        (json!({ "mode": "0644" }), "option `mode`: with 0644 everybody could read the values"),
        (json!({ "dialect": "bash" }), "option `dialect` must be one of `compose`, `docker`, `systemd`, `dotenv`"),
        (json!({ "dialect": [] }), "option `dialect` must name one of `compose`, `docker`, `systemd`, `dotenv`"),
        (json!({ "merge": true, "comment": "x" }), "option `comment`: with `merge` the file keeps its own comments"),
        (
            json!({ "schema": { "pattern": { "A": "[" } } }),
            "option `schema.pattern.A` must be a regular expression, and `[` is none: unclosed character class",
        ),
    ] {
        let failure = write(&direct, values(), options).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Option, message));
    }
    write(&direct, values(), json!({ "mode": "0640", "dialect": ["compose", "dotenv"], "comment": "by hand" }))
        .unwrap();
    assert_eq!((read(&direct).as_str(), mode(&direct.path().join(".env"))), ("# by hand\nA=1\n", 0o640));
    assert!(write(&direct, json!({ "A": "se-cret-2" }), json!({ "mode": "0640" })).is_ok());
    assert!(direct.lines().is_empty(), "a file with values is never shown, whoever may read it");
}

#[test]
fn a_change_is_foreseen() {
    let direct = Direct::new();
    let arguments = |values: Value| json!([".env", values]);
    let predict = |values: Value| direct.predict("env_file", Value::Null, arguments(values), Value::Null).unwrap();
    for values in [json!({ "A": "1" }), json!({ "A": "1" }), json!({ "A": "2", "B": "1" }), json!({})] {
        let predicted = predict(values.clone());
        let outcome = write(&direct, values, Value::Null).unwrap();
        assert_eq!((predicted.value, predicted.changes), (outcome.value, outcome.changes));
    }
    let vague = predict(json!({ "A": unknown("what `random` returns") }));
    assert!(vague.changes[0].condition.is_some());
    assert!(unknown_within(&vague.value).is_some());
    assert_eq!((&vague.value["$kind"], &vague.value["path"]), (&json!("env_file"), &json!(".env")));
    let options = json!({ "schema": { "required": ["A", "B"], "not_placeholder": true } });
    let values = json!({ "A": unknown("x"), "B": "changeme" });
    let failure = direct.predict("env_file", Value::Null, arguments(values), options).unwrap_err();
    assert_eq!(failure.message, "`.env`: `B` still holds a placeholder");
}

#[test]
fn putting_back_is_foreseen() {
    let direct = Direct::new();
    let created = write(&direct, json!({ "A": "1" }), Value::Null).unwrap().value;
    let changed = write(&direct, json!({ "A": "2" }), Value::Null).unwrap().value;
    for handle in [changed, created] {
        let predicted = direct.predict("env_file.put_back", handle.clone(), json!([]), Value::Null).unwrap();
        let outcome = put_back(&direct, &handle).unwrap();
        assert_eq!((predicted.value, predicted.changes), (outcome.value, outcome.changes));
    }
}

#[test]
fn a_call_that_died_before_or_after_its_effect_returns_what_it_would_have() {
    let told =
        |outcome: &Outcome| (outcome.value.clone(), outcome.changed, outcome.note.clone(), outcome.changes.clone());
    let arguments = || json!([".env", { "A": "2", "B": "x y" }]);
    let undisturbed = Direct::new();
    undisturbed.write(".env", "A=1\n");
    let expected = undisturbed.call(primitive("env_file"), arguments(), Value::Null).unwrap();

    let direct = Direct::new();
    direct.write(".env", "A=1\n");
    direct.dies_before_its_effect("env_file", Value::Null, arguments(), Value::Null);
    assert_eq!(read(&direct), "A=1\n");
    let resumed = direct.resume("env_file", Value::Null, arguments(), Value::Null).unwrap();
    assert_eq!(read(&direct), read(&undisturbed));
    assert_eq!((resumed.changed, &resumed.changes), (expected.changed, &expected.changes));
    assert_eq!(
        std::fs::read_to_string(direct.path().join(resumed.value["previous"].as_str().unwrap())).unwrap(),
        "A=1\n"
    );

    let again = direct.recover("env_file", Value::Null, arguments(), Value::Null).unwrap();
    let Probe::Done(found) = again else { panic!("died after the effect: {again:?}") };
    assert_eq!(told(&found), told(&resumed));

    let handle = resumed.value;
    direct.dies_before_its_effect("env_file.put_back", handle.clone(), json!([]), Value::Null);
    direct.resume("env_file.put_back", handle.clone(), json!([]), Value::Null).unwrap();
    assert_eq!(read(&direct), "A=1\n");

    let created = Direct::new();
    let handle = write(&created, json!({ "A": "1" }), Value::Null).unwrap().value;
    created.dies_before_its_effect("env_file.put_back", handle.clone(), json!([]), Value::Null);
    assert!(created.path().join(".env").exists());
    let outcome = created.resume("env_file.put_back", handle.clone(), json!([]), Value::Null).unwrap();
    assert_eq!(outcome.changed, Some(true));
    let Probe::Done(found) = created.recover("env_file.put_back", handle, json!([]), Value::Null).unwrap() else {
        panic!("died after the removal")
    };
    assert_eq!(told(&found), told(&outcome));
}

#[test]
fn no_value_of_a_secret_is_shown_or_stored() {
    let script = r#"let values = #{ DB_PASSWORD: "correct-horse-battery", DATABASE_URL: "postgres://shop:staple-staple@db/shop", TAG: "v1" };
let written = env_file(".env", values);
undo("put the previous .env back", || written.put_back());
info(`changed: ${written.changed}`);
throw "and then it failed";"#;
    let project = Project::script(script).file(".env", "DB_PASSWORD=correct-horse-old\n");
    let ran = project.run().code(1);
    let ran = ran.says("changed: true").says("put the previous .env back");
    assert_eq!(project.read(".env"), "DB_PASSWORD=correct-horse-old\n");
    let mut told: serde_json::Value =
        serde_json::from_str(&project.runbook(&["show", "--json"]).success().stdout).unwrap();
    // The text of the script has what was written into it.
    assert!(told.as_object_mut().unwrap().remove("sources").is_some() && !told["calls"].as_array().unwrap().is_empty());
    let shown = format!("{}{}{told}", ran.stdout, ran.stderr);
    for secret in ["correct-horse-battery", "staple-staple", "correct-horse-old"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_secret_stands_in_the_file_and_nowhere_else() {
    let script = r#"let password = secret("DB_PASSWORD");
let written = env_file(".env", #{ DB_PASSWORD: password, DATABASE_URL: `postgres://shop:${password}@db/shop`, TAG: "v1" });
info(`changed: ${written.changed}`);
if env_file(".env", #{ DB_PASSWORD: password, TAG: "v1" }).changed { info("and again") }"#;
    let project = Project::script(script)
        .file("runbook.toml", "[secrets]\nsources = [{ from = \"dotenv\", file = \"sealed.env\" }]\n")
        .file("sealed.env", "DB_PASSWORD='P@$$w0rd-staple'\n");
    let planned = project.runbook(&["plan", "test.rhai"]).code(0);
    let ran = project.run().code(0).says("changed: true").says("and again");
    assert_eq!(project.read(".env"), "DB_PASSWORD='P@$$w0rd-staple'\nTAG=v1\n");
    let shown = [&planned, &ran, &project.runbook(&["show", "--json"]).success()]
        .map(|ran| format!("{}{}", ran.stdout, ran.stderr));
    assert!(shown.iter().all(|shown| !shown.contains("w0rd-staple")), "{shown:?}");
    assert!(shown[0].contains("added: DATABASE_URL, DB_PASSWORD, TAG"), "{}", shown[0]);
    let public = Project::script("env_file(\".env\", #{ A: secret(\"DB_PASSWORD\") }, #{ mode: \"0640\" });")
        .file("runbook.toml", "[secrets]\nsources = [{ from = \"dotenv\", file = \"sealed.env\" }]\n")
        .file("sealed.env", "DB_PASSWORD='P@$$w0rd-staple'\n");
    public.run().code(2).says("give the file `mode: \"0600\"`");
}
