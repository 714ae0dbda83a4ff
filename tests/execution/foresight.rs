//! What a plan lists is what the run then changes, in both directions, also where one change comes after another.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::Project;

/// The changes of a list of calls, in words.
fn changes(calls: &Value) -> Vec<String> {
    let calls = calls.as_array().unwrap().iter();
    let all = calls.flat_map(|call| call["changes"].as_array().unwrap().iter().map(move |change| (call, change)));
    all.map(|(call, change)| {
        let detail = change["detail"].as_array().into_iter().flatten().map(|line| line.as_str().unwrap());
        // A copy of what is not there yet is foreseen as the text it will be, and made as a copy.
        let detail: Vec<&str> = detail.filter(|_| call["name"] != "file.copy").collect();
        let action = change["action"].as_str().unwrap();
        format!(
            "{} {action} {} {}",
            call["path"].as_str().unwrap(),
            change["what"].as_str().unwrap(),
            detail.join("; ")
        )
    })
    .collect()
}

/// Plans and runs, and gives what both told: changes, and the message of a failure.
fn told(project: &Project) -> [(Vec<String>, Option<String>); 2] {
    let planned = project.runbook(&["plan", "test.rhai", "--out", "plan.json"]);
    assert!(planned.code == 0 || planned.code == 1, "{}", planned.stderr);
    let plan: Value = serde_json::from_str(&project.read("plan.json")).unwrap();
    std::fs::remove_file(project.path().join("plan.json")).unwrap();
    assert!(plan["certain_until"].is_null(), "{plan}");
    project.run();
    let shown = project.runbook(&["show", "1", "--json"]).success();
    let run: Value = serde_json::from_str(&shown.stdout).unwrap();
    let message = |failure: &Value| failure["message"].as_str().map(str::to_owned);
    [(changes(&plan["calls"]), message(&plan["failure"])), (changes(&run["calls"]), message(&run["failure"]))]
}

/// A small source of numbers that are the same in every test run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn of<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

const FILES: &[&str] = &["a", "b", "./b", "d/a", "d/b", "d/e/a", "n/a"];
const FOLDERS: &[&str] = &["d", "d/e", "n", "n/m/"];
const MODES: &[&str] = &["", "", "", ", #{ mode: \"0600\" }", ", #{ mode: \"0644\" }"];

/// A runbook of changes and looks that meet each other on a few paths.
fn script(numbers: &mut Numbers) -> String {
    let mut text = String::new();
    for _ in 0..4 + numbers.below(12) {
        let (file, other, folder) = (numbers.of(FILES), numbers.of(FILES), numbers.of(FOLDERS));
        let (mode, content) = (numbers.of(MODES), numbers.of(&["", "one\\n", "one\\ntwo\\n", "two"]));
        let options = mode.trim_start_matches(", ");
        let line = match numbers.below(12) {
            0 | 1 => format!("file(\"{file}\").write(\"{content}\"{mode});"),
            2 => format!("file(\"{file}\").append_line(\"two\"{mode});"),
            3 => format!("file(\"{file}\").copy(\"{other}\"{mode});"),
            4 => format!("file(\"{file}\").remove();"),
            5 | 6 => format!("folder(\"{folder}\").create({options});"),
            7 => format!("folder(\"{folder}\").remove(#{{ recursive: true }});"),
            8 => format!("template(#{{ text: \"{{{{ x }}}}{content}\" }}, #{{ x: 1 }}, #{{ to: \"{file}\" }});"),
            9 => format!(
                "if file(\"{file}\").exists() {{ file(\"{other}\").write(file(\"{file}\").read() + \"more\\n\"); }}"
            ),
            10 => format!("if !folder(\"{folder}\").exists() {{ folder(\"{folder}\").create(); }}"),
            _ => format!(
                "if file(\"{file}\").write(\"{content}\").changed {{ file(\"log\").append_line(\"{file} changed\"); }}"
            ),
        };
        let caught = numbers.below(3) > 0;
        let _ = if caught { writeln!(text, "try {{ {line} }} catch (e) {{ }}") } else { writeln!(text, "{line}") };
    }
    text
}

#[test]
fn changes_that_meet_each_other_are_foreseen_to_the_end() {
    let (mut failed, mut total) = (0, 0);
    for seed in 0..60 {
        let text = script(&mut Numbers(seed * 7_919 + 1));
        let project = Project::script(&text).file("a", "one\n").file("d/a", "two").file("d/keep", "");
        let [(planned, foretold), (made, happened)] = told(&project);
        assert_eq!((&planned, &foretold), (&made, &happened), "seed {seed}:\n{text}");
        failed += usize::from(happened.is_some());
        total += made.len();
    }
    assert!(failed < 40 && total > 150, "{failed} of 60 failed, {total} changes");
    eprintln!("60 generated runbooks, {total} changes, {failed} failures foretold");
}

#[test]
fn what_depends_on_a_command_is_marked_and_looks_after_it_are_not_answered() {
    let project = Project::script(
        "file(\"a\").write(\"1\");
        let said = sh([\"cat\", \"a\"]).stdout;
        file(\"b\").write(said);
        file(\"old\").write(said);
        file(\"c\").append_line(\"x\");",
    )
    .file("old", "1");
    project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
    let plan: Value = serde_json::from_str(&project.read("plan.json")).unwrap();
    assert_eq!(
        changes(&plan["calls"]),
        [
            "1 create file a 1 line added",
            "2 run sh cat a ",
            "3 create file b ",
            "4 update file old with values that are known only then",
            "5 create file c 1 line added",
        ]
    );
    project.runbook(&["run", "test.rhai", "--plan", "plan.json"]).success();
    assert!(Path::new(&project.path().join("c")).exists());

    let project =
        Project::script("file(\"a\").write(\"1\"); sh([\"rm\", \"a\"]); if file(\"a\").exists() { info(\"\") }");
    let plan = project.runbook(&["plan", "test.rhai"]).success();
    plan.prints("which depends on what `file.exists a` returns");
}
