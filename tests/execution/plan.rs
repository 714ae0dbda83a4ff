//! A plan says what a run will do, changes nothing, and a run that follows it does that and no more.

use crate::harness::Project;

#[test]
fn a_plan_lists_what_the_run_then_does_and_changes_nothing() {
    let project = Project::script(
        "step(\"files\", || { folder(\"d\").create(); file(\"d/a\").write(\"1\"); });
        let said = sh([\"echo\", \"x\"]).stdout;
        undo(\"take it back\", || file(\"d/a\").remove());
        info(`it said ${said}`);",
    );
    let plan = project.runbook(&["plan", "test.rhai"]).success();
    plan.prints("d/a").prints("sh echo x").prints("Should it fail: take it back");
    let left: Vec<_> = std::fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["test.rhai"], "a plan leaves nothing behind, not even a run log");
}

#[test]
fn a_plan_ends_where_the_script_decides_on_what_nobody_knows() {
    let cases = [
        ("if sh([\"echo\"]).ok { info(\"\") }", "test.rhai:1"),
        ("let r = sh([\"echo\"]);\nif r.stdout == \"x\" { info(\"\") }", "test.rhai:2"),
        ("let r = sh([\"echo\"]);\nlet t = `<${r.stdout}>`;\nif t == \"<x>\" { info(\"\") }", "test.rhai:3"),
        ("let r = sh([\"echo\"]);\nlet n = parse_int(`${r.stdout}`);", "test.rhai:2"),
        ("let r = sh([\"echo\"]);\nfor line in r.lines { info(line) }", "test.rhai:2"),
        ("let r = sh([\"echo\"]);\nr.stdout.trim();", "test.rhai:2"),
    ];
    for (script, place) in cases {
        let project = Project::script(script);
        let plan = project.runbook(&["plan", "test.rhai"]).success();
        assert!(plan.stdout.contains(&format!("Certain up to {place}")), "{script}\n{}", plan.stdout);
        assert!(plan.stdout.contains("which depends on what `sh echo` returns"), "{script}\n{}", plan.stdout);
    }
}

/// What the refusal names, what has happened, and what the run is given.
type Drift<'a> = (&'a str, &'a dyn Fn(&Project), &'a [&'a str]);

#[test]
fn a_stale_plan_is_refused_and_the_difference_named() {
    let script = "//! @param n: integer = 1  how many\nlet seen = file(\"in\").read();\nfile(\"out\").write(seen + param(\"n\"));";
    let drifts: [Drift<'_>; 5] = [
        ("another one", &|project| project.file_now("test.rhai", &script.replace("+ param", "+ \" \" + param")), &[]),
        ("parameter n: 1 → 2", &|_| {}, &["--n", "2"]),
        ("\"a\" → \"b\"", &|project| project.file_now("in", "b"), &[]),
        ("out", &|project| project.file_now("out", "a1"), &[]),
        ("environment", &|_| {}, &["--env", "two"]),
    ];
    for (named, drift, arguments) in drifts {
        let project = Project::script(script)
            .file("in", "a")
            .file("runbook.toml", "[project]\ndefault_env = \"one\"\n[env.one]\nx = 1\n[env.two]\nx = 1\n");
        project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
        drift(&project);
        let mut words = vec!["run", "test.rhai", "--plan", "plan.json"];
        words.extend(arguments);
        project.runbook(&words).code(2).says("the plan is stale").says(named);
    }
}

#[test]
fn a_run_with_its_plan_does_it() {
    let project = Project::script("file(\"out\").write(file(\"in\").read());").file("in", "a");
    project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
    project.runbook(&["run", "test.rhai", "--plan", "plan.json"]).success();
    assert_eq!(project.read("out"), "a");
    project.runbook(&["run", "test.rhai", "--plan", "test.rhai"]).code(2).says("is not a plan");
}

#[test]
fn a_plan_knows_its_runbook_environment_and_parameters() {
    let script = "//! @param n: integer = 1  how many\nfile(\"out\").write(`${env::name} ${param(\"n\")}`);";
    let project = Project::script(script).file("runbook.toml", "[env.one]\n[env.two]\n");
    project.runbook(&["plan", "test.rhai", "--env", "two", "--n", "7", "--out", "plan.json"]).success();
    project.runbook(&["run", "--plan", "plan.json", "--env", "one"]).code(2).says("the plan is stale");
    project.runbook(&["run", "--plan", "plan.json", "--n", "8"]).code(2).says("parameter n: 7 → 8");
    project.runbook(&["run", "--plan", "none.json"]).code(2).says("read the plan `none.json`");
    project.runbook(&["run", "--plan", "plan.json"]).success();
    assert_eq!(project.read("out"), "two 7");
}

#[test]
fn what_comes_after_the_end_of_a_plan_is_not_done() {
    let project = Project::script("if sh([\"echo\"]).code == 0 { file(\"out\").write(\"x\"); }");
    project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success().prints("Certain up to test.rhai:1");
    let ran = project.runbook(&["run", "--plan", "plan.json"]).code(1);
    ran.says("would do what was not planned").says("the plan ended before that: it depends on what `sh echo` returns");
    assert!(!project.path().join("out").exists());
}

#[test]
fn what_was_not_planned_is_not_done() {
    // The plan's look and the run's are the same; the world changes between them and the call.
    let project = Project::script("sh([\"sh\", \"-c\", \"echo b > in\"]);\nfile(\"out\").write(file(\"in\").read());")
        .file("in", "a");
    project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
    let ran = project.runbook(&["run", "test.rhai", "--plan", "plan.json"]);
    assert!(ran.code == 0 || ran.stderr.contains("not planned"), "{}", ran.stderr);
}

#[test]
fn questions_and_failures_are_foretold() {
    let project = Project::script("confirm(\"Sure?\"); file(\"missing\").read();");
    project.runbook(&["plan", "test.rhai"]).code(1).prints("A person will be asked: Sure?").prints("It would fail:");
}
