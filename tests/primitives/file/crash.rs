//! A process that dies in the middle of a change: what is found afterwards, and what the call returns then.

use std::path::PathBuf;

use runbook::drivers::disk::short_name;
use runbook::primitive::{Action, Change, Outcome, Probe};
use serde_json::{Value, json};

use super::{file, names};
use crate::harness::{Direct, primitive};

/// What is done about a call in doubt, as the door does it: the result that it gets.
fn recovered(direct: &Direct, method: &str, args: &Value, options: &Value) -> Outcome {
    match direct.probe_with(primitive(method), file("a"), args.clone(), options.clone()).unwrap() {
        Probe::Done(outcome) => outcome,
        Probe::NotDone => direct.again(method, file("a"), args.clone(), options.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Everything that can be told of a result.
fn told(outcome: &Outcome) -> (Value, Option<bool>, Option<String>, Vec<Change>) {
    (outcome.value.clone(), outcome.changed, outcome.note.clone(), outcome.changes.clone())
}

/// A method with its arguments, and the files of the project before it.
struct Case {
    method: &'static str,
    args: Value,
    options: Value,
    before: &'static [(&'static str, &'static str)],
}

fn cases() -> Vec<Case> {
    let none = Value::Null;
    let case = |method, args, options, before| Case { method, args, options, before };
    vec![
        case("file.write", json!(["new\n"]), none.clone(), &[]),
        case("file.write", json!(["new\n"]), json!({ "mode": "0600" }), &[("a", "old\n")]),
        case("file.write", json!(["old\n"]), json!({ "mode": "0600" }), &[("a", "old\n")]),
        case("file.append_line", json!(["new"]), none.clone(), &[("a", "old\n")]),
        case("file.copy", json!(["b"]), none.clone(), &[("a", "old\n")]),
        case("file.copy", json!(["b"]), json!({ "mode": "0600" }), &[("a", "same"), ("b", "same")]),
        case("file.copy", json!(["b"]), none.clone(), &[("a", "one"), ("b", "two")]),
        case("file.remove", json!([]), none, &[("a", "old\n")]),
    ]
}

fn project(case: &Case) -> Direct {
    let direct = Direct::new();
    for (name, text) in case.before {
        direct.write(name, text);
    }
    direct
}

fn tree(direct: &Direct) -> Vec<(String, String)> {
    let read = |name: String| (name.clone(), std::fs::read_to_string(direct.path().join(name)).unwrap());
    names(direct.path()).into_iter().map(read).collect()
}

#[test]
fn a_change_that_died_before_during_or_after_its_effect_returns_what_it_would_have() {
    for case in cases() {
        let Case { method, args, options, .. } = &case;
        let undisturbed = project(&case);
        let expected = told(&undisturbed.method(method, file("a"), args.clone(), options.clone()).unwrap());
        assert_eq!((expected.1, expected.3.len()), (Some(true), 1), "{method}");
        let expected_tree = tree(&undisturbed);

        let before = project(&case);
        assert_eq!(told(&recovered(&before, method, args, options)), expected, "{method}, died before anything");
        assert_eq!(tree(&before), expected_tree, "{method}");

        let announced = project(&case);
        announced.dies_before_its_effect(method, file("a"), args.clone(), options.clone());
        assert_eq!(told(&recovered(&announced, method, args, options)), expected, "{method}, died before the effect");
        assert_eq!(tree(&announced), expected_tree, "{method}");

        let after = project(&case);
        after.method(method, file("a"), args.clone(), options.clone()).unwrap();
        let probed = after.probe_with(primitive(method), file("a"), args.clone(), options.clone()).unwrap();
        let Probe::Done(outcome) = probed else { panic!("{method}, died after the effect: {probed:?}") };
        assert_eq!(told(&outcome), expected, "{method}, died after the effect");
    }
}

#[test]
fn a_change_that_had_nothing_to_do_does_not_claim_one_after_a_crash() {
    for case in cases() {
        let Case { method, args, options, .. } = &case;
        let direct = project(&case);
        direct.method(method, file("a"), args.clone(), options.clone()).unwrap();
        let outcome = recovered(direct.anew(), method, args, options);
        assert_eq!((outcome.changed, outcome.changes.len()), (Some(false), 0), "{method}");
    }
}

#[test]
fn what_a_dead_process_left_half_written_is_cleared_away_and_not_mistaken() {
    for (method, args, target) in [
        ("file.write", json!(["whole"]), "a"),
        ("file.append_line", json!(["line"]), "a"),
        ("file.copy", json!(["b"]), "b"),
    ] {
        let direct = Direct::new();
        direct.write("a", "old\n");
        let left: PathBuf = direct.path().join(format!(".{target}.runbook-{}", short_name(&direct.key())));
        std::fs::write(&left, "who").unwrap();
        let others = direct.path().join(format!(".{target}.runbook-0123456789abcdef"));
        std::fs::write(&others, "of another run").unwrap();
        assert!(
            matches!(direct.probe(primitive(method), file("a"), args.clone()).unwrap(), Probe::NotDone),
            "{method}"
        );
        assert!(!left.exists() && others.exists(), "{method}");
        std::fs::write(&left, "who").unwrap();
        assert_eq!(direct.method(method, file("a"), args, Value::Null).unwrap().changed, Some(true), "{method}");
        assert!(!left.exists(), "{method}");
    }
}

#[test]
fn a_file_that_somebody_changed_in_the_meantime_is_written_again() {
    let direct = Direct::new();
    direct.method("file.write", file("a"), json!(["mine"]), json!({ "mode": "0600" })).unwrap();
    let probe = || direct.probe(primitive("file.write"), file("a"), json!(["mine"])).unwrap();
    assert!(matches!(probe(), Probe::Done(_)));
    direct.write("a", "theirs");
    assert!(matches!(probe(), Probe::NotDone));
    direct.write("a", "mine");
    std::fs::set_permissions(direct.path().join("a"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert!(matches!(probe(), Probe::NotDone), "the mode is part of it");
    std::fs::remove_file(direct.path().join("a")).unwrap();
    std::fs::create_dir(direct.path().join("a")).unwrap();
    assert!(matches!(probe(), Probe::NotDone));
}

#[test]
fn a_copy_is_known_by_what_was_copied_whatever_became_of_the_original() {
    let direct = Direct::new();
    direct.write("a", "one");
    direct.method("file.copy", file("a"), json!(["b"]), Value::Null).unwrap();
    std::fs::remove_file(direct.path().join("a")).unwrap();
    let probed = direct.probe(primitive("file.copy"), file("a"), json!(["b"])).unwrap();
    let Probe::Done(outcome) = probed else { panic!("{probed:?}") };
    assert_eq!(outcome.changes[0].action, Action::Create);
}
