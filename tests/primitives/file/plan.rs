//! What a plan foresees of a change is what the change then is.

use runbook::primitive::{Action, Change, Failure};
use serde_json::{Value, json};

use super::{file, names};
use crate::harness::Direct;

/// Predicts, checks that nothing was touched, calls, and gives the changes that both told.
fn agreed(direct: &Direct, method: &str, args: &Value, options: &Value) -> Vec<Change> {
    let look = |direct: &Direct| {
        let read = |name: &String| std::fs::read(direct.path().join(name)).unwrap_or_default();
        names(direct.path()).iter().map(|name| (name.clone(), read(name))).collect::<Vec<_>>()
    };
    let before = look(direct);
    let predicted = direct.predict(method, file("a"), args.clone(), options.clone()).unwrap();
    assert_eq!(look(direct), before, "{method} changed something while it only looked");
    let outcome = direct.method(method, file("a"), args.clone(), options.clone()).unwrap();
    assert_eq!(predicted.changes, outcome.changes, "{method}");
    assert_eq!(predicted.value, outcome.value, "{method}");
    outcome.changes
}

fn change(action: Action, what: &str, detail: &[&str]) -> Vec<Change> {
    let detail = detail.iter().map(ToString::to_string).collect();
    vec![Change { detail, ..Change::new(action, what) }]
}

#[test]
fn a_write_is_foreseen() {
    let direct = Direct::new();
    let write = |text: &str, options: Value| agreed(&direct, "file.write", &json!([text]), &options);
    let none = Value::Null;
    assert_eq!(
        write("one\ntwo\n", json!({ "mode": "0644" })),
        change(Action::Create, "file a", &["2 lines added", "mode: 0644"])
    );
    assert_eq!(write("one\ntwo\n", none.clone()), []);
    assert_eq!(
        write("two\nthree\nfour\n", none.clone()),
        change(Action::Update, "file a", &["2 lines added, 1 removed"])
    );
    assert_eq!(
        write("two\n", json!({ "mode": "0600" })),
        change(Action::Update, "file a", &["2 lines removed", "mode: 0644 → 0600"])
    );
    assert_eq!(write("two\n", json!({ "mode": "0640" })), change(Action::Update, "file a", &["mode: 0600 → 0640"]));
    assert_eq!(write("two", none.clone()), change(Action::Update, "file a", &["another content"]));
    std::fs::write(direct.path().join("a"), b"\xff\0").unwrap();
    assert_eq!(write("text\n", none), change(Action::Update, "file a", &["another content"]));
}

#[test]
fn no_content_is_among_what_is_told_of_a_change() {
    let direct = Direct::new();
    direct.write("a", "PASSWORD=old-secret\n");
    let changes = agreed(&direct, "file.write", &json!(["PASSWORD=new-secret\n"]), &Value::Null);
    assert!(!format!("{changes:?}").contains("secret"), "{changes:?}");
}

#[test]
fn a_line_is_foreseen() {
    let direct = Direct::new();
    let append = |line: &str| agreed(&direct, "file.append_line", &json!([line]), &Value::Null);
    assert_eq!(append("x"), change(Action::Create, "file a", &["1 line added"]));
    assert_eq!(append("y"), change(Action::Update, "file a", &["1 line added"]));
    assert_eq!(append("x"), []);
}

#[test]
fn a_copy_is_foreseen() {
    let direct = Direct::new();
    direct.write("a", "one");
    std::fs::set_permissions(direct.path().join("a"), std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let copy = |options: Value| agreed(&direct, "file.copy", &json!(["b"]), &options);
    assert_eq!(copy(Value::Null), change(Action::Create, "file b", &["mode: 0640"]));
    assert_eq!(copy(Value::Null), []);
    assert_eq!(copy(json!({ "mode": "0600" })), change(Action::Update, "file b", &["mode: 0640 → 0600"]));
    direct.write("a", "two");
    assert_eq!(copy(json!({ "mode": "0600" })), change(Action::Update, "file b", &["another content"]));
}

#[test]
fn a_removal_is_foreseen() {
    let direct = Direct::new();
    direct.write("a", "");
    let remove = || agreed(&direct, "file.remove", &json!([]), &Value::Null);
    assert_eq!(remove(), change(Action::Remove, "file a", &[]));
    assert_eq!(remove(), []);
}

#[test]
fn what_the_call_refuses_the_plan_refuses() {
    let direct = Direct::new();
    direct.write("a/x", "");
    let nowhere = direct.predict("file.write", file("no/a"), json!(["x"]), Value::Null).unwrap_err();
    assert_eq!(nowhere.message, "the folder of `no/a` does not exist");
    let message = |result: Result<_, Failure>| result.map(drop).unwrap_err().message;
    for (method, args) in [("file.write", json!(["x"])), ("file.remove", json!([]))] {
        let predicted = message(direct.predict(method, file("a"), args.clone(), Value::Null).map(|p| p.value));
        assert_eq!(
            predicted,
            message(direct.method(method, file("a"), args, Value::Null).map(|o| o.value)),
            "{method}"
        );
    }
}

#[test]
fn a_path_is_the_same_however_it_is_written() {
    let direct = Direct::new();
    let touched = |path: &str| {
        let mut touched = None;
        let write = crate::harness::primitive("file.write");
        direct.look_on(write, file(path), json!(["x"]), |context, call| touched = Some(write.touches(context, call)));
        touched.unwrap()
    };
    let absolute = direct.path().join("sub/a").display().to_string();
    for path in ["./sub/a", "sub/../sub/./a", &absolute] {
        assert_eq!(touched(path), touched("sub/a"), "{path}");
    }
    assert!(!touched("sub/a").overlaps(&touched("sub/b")) && touched("sub").overlaps(&touched("sub/b")));
}
