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
        ("let r = sh([\"echo\"]);\nr.stdout.sub_string(1);", "test.rhai:2"),
    ];
    for (script, place) in cases {
        let project = Project::script(script);
        let plan = project.runbook(&["plan", "test.rhai"]).success();
        assert!(plan.stdout.contains(&format!("Certain up to {place}")), "{script}\n{}", plan.stdout);
        assert!(plan.stdout.contains("which depends on what `sh echo` returns"), "{script}\n{}", plan.stdout);
    }
}

#[test]
fn no_catch_handles_what_nobody_knows() {
    let cases = [
        ("try { if r.ok { info(\"\") } } catch { file(\"no\").write(\"\"); }", "test.rhai:2:10"),
        ("try { r.stdout.sub_string(1) } catch (error) { file(\"no\").write(error.message); }", "test.rhai:2:16"),
        (
            "try {\n    info(\"\"); if r.stdout == \"x\" { info(\"\") }\n} catch { file(\"no\").write(\"\"); }",
            "test.rhai:3:18",
        ),
        (
            "try { step(\"s\", || { if r.ok && true { info(\"\") } }) } catch { file(\"no\").write(\"\"); }",
            "test.rhai:2:25",
        ),
        (
            "fn look(r) {\n    if r.ok { 1 } else { 2 }\n}\ntry { look(r) } catch { file(\"no\").write(\"\"); }",
            "test.rhai:3:8",
        ),
        ("fn look(r) { try { while r.ok {} } catch { 1 } }\nfile(`no${look(r)}`).write(\"\");", "test.rhai:2:26"),
        (
            "try { try { parse_int(r.stdout); } catch (inner) { throw inner; } } catch { file(\"no\").write(\"\"); }",
            "test.rhai:2:13",
        ),
        ("try { for line in r.lines { info(line) } } catch { file(\"no\").write(\"\"); }", "test.rhai:2"),
        ("try { [1, 2][r.code] } catch { file(\"no\").write(\"\"); }", "test.rhai:2"),
        ("try { if [1].contains(r.code) { info(\"\") } } catch { file(\"no\").write(\"\"); }", "test.rhai:2"),
        ("try { if [r.code] == [0] { info(\"\") } } catch { file(\"no\").write(\"\"); }", "test.rhai:2"),
        (
            "try { if #{ a: [r.code] } != #{ a: [0] } { info(\"\") } } catch { file(\"no\").write(\"\"); }",
            "test.rhai:2",
        ),
        ("try { if [0, 1].index_of(r.code) == 0 { info(\"\") } } catch { file(\"no\").write(\"\"); }", "test.rhai:2"),
        (
            "let same = r.code == 0; r.stdout.trim(); if same || r.stdout == \"\" { file(\"no\").write(\"\"); }",
            "test.rhai:2",
        ),
        ("switch r.code { 0 => file(\"a\").write(\"\"), _ => file(\"no\").write(\"\") }", "test.rhai:2:7"),
        ("let n = switch `${r.stdout} {` { \"{\" => \"a\", _ => \"no\" }; file(n).write(\"\");", "test.rhai:2:15"),
        ("switch #{ a: [r.code] }\n{ _ => file(\"no\").write(\"\") }", "test.rhai:2:7"),
        (
            "try { /* ü */ } catch { } switch 1 { _ => 2 } try { if r.ok { } } catch { file(\"no\").write(\"\"); }",
            "test.rhai:2:56",
        ),
        (
            "try { retry(#{ times: 3, delay: \"1ms\" }, || r.lines.len()) } catch { file(\"no\").write(\"\"); }",
            "test.rhai:2",
        ),
    ];
    for (script, place) in cases {
        let project = Project::script(&format!("let r = sh([\"echo\"]);\n{script}"));
        let plan = project.runbook(&["plan", "test.rhai"]).success();
        assert!(plan.stdout.contains(&format!("Certain up to {place}")), "{script}\n{}", plan.stdout);
        assert!(plan.stdout.contains("which depends on what `sh echo` returns"), "{script}\n{}", plan.stdout);
        assert!(!plan.stdout.contains("file no"), "{script}\n{}", plan.stdout);
    }
}

#[test]
fn a_plan_names_the_value_that_it_ends_at_and_not_a_later_one() {
    let conditions = [
        ("if one.ok { }", "3:4"),
        ("if !one.ok { }", "3:4"),
        ("if (one.code == 0) { }", "3:5"),
        ("if one.code + 1 == 1 { } else { }", "3:4"),
        ("if known { } else if one.ok { }", "3:22"),
        ("while one.ok { break; }", "3:7"),
        ("do { } until one.ok;", "3:14"),
        ("do { } while one.ok", "3:14"),
        ("if !known && one.ok || other.ok { }", "3:14"),
        ("if known || (one.code == 0 && other.ok) { }", "3:14"),
        ("let both = !known && one.ok;", "3:22"),
        ("let text = `${ one.ok && !known } {`;", "3:16"),
        ("info(\"ä\"); try {one.ok && other.ok} catch { file(\"no\").write(\"\"); }", "3:17"),
        ("if [known].some(|k| { !k && one.ok }) { }", "3:29"),
        ("switch one.ok && other.ok { _ => file(\"no\").write(\"\") }", "3:8"),
        ("if known { } else if 1 in [1] && one.ok /* { && */ && other.ok { }", "3:34"),
    ];
    for (condition, place) in conditions {
        let project = Project::script(&format!(
            "let known = false; let one = sh([\"one\"]);\nlet other = sh([\"other\"]);\n{condition}"
        ));
        let plan = project.runbook(&["plan", "test.rhai"]).success();
        let end = format!("Certain up to test.rhai:{place}, which depends on what `sh one` returns. What follows");
        assert!(plan.stdout.contains(&end), "{condition}\n{}", plan.stdout);
        assert!(!plan.stdout.contains("file no"), "{condition}\n{}", plan.stdout);
    }
}

#[test]
fn a_plan_names_no_value_where_the_language_does_not_tell_which_it_was() {
    let cases = [
        ("one.stdout.sub_string(1);", "2:12. What follows"),
        ("try { [1, 2][one.code] } catch { file(\"no\").write(\"\"); }", "2:14. What follows"),
        ("if if one.ok { true } else { false } { }", "2:7, which depends on what `sh one` returns."),
        ("if if known { one.ok } else { one.ok } { file(\"no\").write(\"\"); }", "2:4. What follows"),
    ];
    for (case, end) in cases {
        let project = Project::script(&format!(
            "let known = false; let one = sh([\"one\"]); let other = sh([\"other\"]);\n{case}"
        ));
        let plan = project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
        assert!(plan.stdout.contains(&format!("Certain up to test.rhai:{end}")), "{case}\n{}", plan.stdout);
        assert!(!plan.stdout.contains("file no"), "{case}\n{}", plan.stdout);
        let has_no_name = end.ends_with("follows");
        assert_eq!(project.read("plan.json").contains("\"depends_on\": null"), has_no_name, "{case}");
    }
}

#[test]
fn a_plan_compares_what_is_known_as_the_run_does() {
    let project = Project::script(
        "let a = [1, \"b\", [#{ c: 2 }], file(\"x\"), 1.5, ()];
        let b = [1, \"b\", [#{ c: 2 }], file(\"x\"), 1.5, ()];
        let seen = [a == b, a != b, a == [1], #{ a: a } == #{ a: b }, #{ a: 1 } != #{ a: 2 }, a.contains(\"b\"), 7 in a,
            a.index_of([#{ c: 2 }]), a.index_of(7), a.contains(file(\"x\")), #{ a: 1 }.contains(\"a\")];
        file(`${seen}`).write(\"\");",
    );
    let name = "[true, false, false, true, true, true, false, 2, -1, true, true]";
    project.runbook(&["plan", "test.rhai"]).success().prints(&format!("+ file {name}"));
    project.runbook(&["run", "test.rhai"]).success();
    assert_eq!(project.read(name), "");
}

#[test]
fn a_plan_handles_failures_as_the_run_does() {
    let project = Project::script(
        "let said = \"\";
        try { file(\"missing\").read(); } catch (error) { file(\"a\").write(`${error.kind}`); }
        try { throw #{ code: 7 }; } catch (error) { file(\"b\").write(`${error.code}`); }
        try { let list = [1]; list[3] } catch (error) { file(\"c\").write(`${error.error} ${error.line}`); }
        switch `${[1].map(|n| { `${n + 1}` })[0]}` { \"2\" if true => file(\"g\").write(\"\"), _ => file(\"no\").write(\"\") }
        for n in 0..3 { try { if n == 1 { break; } file(`d${n}`).write(\"\"); } catch { throw; } }
        fn first() { try { return \"e\"; } catch { \"none\" } }
        file(first()).write(said);
        try { try { throw \"f\" } catch { throw; } } catch (error) { file(error).write(\"\"); }
        file(\"missing\").read();",
    );
    let plan = project.runbook(&["plan", "test.rhai"]).code(1);
    for name in ["a", "b", "c", "d0", "e", "f", "g"] {
        assert!(plan.stdout.contains(&format!("+ file {name}")), "{name}\n{}", plan.stdout);
    }
    plan.prints("It would fail:");
    project.runbook(&["run", "test.rhai"]).code(1);
    assert_eq!(project.read("c"), "ErrorArrayBounds 4");
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

/// As many lines come and go as before: only what they were is different.
#[test]
fn a_file_that_holds_something_else_by_then_makes_a_plan_stale() {
    for change in ["file(\"out\").write(\"new\");", "file(\"out\").remove();", "file(\"out\").append_line(\"x\");"] {
        let project = Project::script(change).file("out", "apples\n");
        project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
        assert!(!project.read("plan.json").contains("apples"));
        project.file_now("out", "pears\n");
        let ran = project.runbook(&["run", "--plan", "plan.json"]).code(2);
        ran.says("the plan is stale").says("the content of `out` is another one");
        assert_eq!(project.read("out"), "pears\n");
        project.file_now("out", "apples\n");
        project.runbook(&["run", "--plan", "plan.json"]).success();
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
fn a_further_attempt_does_what_the_first_was_planned_to_and_nothing_else() {
    let tries = "sh([\"sh\", \"-c\", \"echo x >> tries; test $(wc -l < tries) -ge 3\"]);";
    let planned = |block: &str| {
        let project = Project::script(&format!("retry(#{{ times: 5, delay: \"1ms\" }}, |attempt| {{ {block} }});"));
        project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
        project
    };
    let project = planned(&format!("step(\"try\", || {{ file(\"begun\").write(\"x\"); {tries} }});"));
    project.runbook(&["run", "--plan", "plan.json"]).success();
    assert_eq!(project.read("tries"), "x\nx\nx\n");
    let project = planned(&format!("file(`attempt-${{attempt}}`).write(\"x\"); {tries}"));
    project.runbook(&["run", "--plan", "plan.json"]).code(1).says("would do what was not planned");
    assert!(project.path().join("attempt-1").exists() && !project.path().join("attempt-2").exists());
}

#[test]
fn what_a_catch_does_about_a_failure_is_not_planned_and_not_done_with_a_plan() {
    for failing in ["sh([\"false\"]);", "sh([\"true\"]); file(\"nowhere\").read();"] {
        let project = Project::script(&format!("try {{ {failing} }} catch {{ file(\"mended\").write(\"x\"); }}"));
        let plan = project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
        assert!(!plan.stdout.contains("mended"), "{}", plan.stdout);
        let ran = project.runbook(&["run", "--plan", "plan.json"]).code(1);
        ran.says("would do what was not planned").says("a plan takes it that nothing fails");
        assert!(!project.path().join("mended").exists());
    }
}

#[test]
fn what_was_not_planned_is_not_done() {
    // The run finds everything as planned when it begins; the world changes under it.
    let project = Project::script(
        "file(\"ready\").write(\"\");
        sleep(\"3s\");
        if file(\"flag\").exists() { file(\"other\").write(\"\"); }
        file(\"out\").write(\"\");",
    );
    project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
    let mut run = project.command(&["run", "test.rhai", "--plan", "plan.json"]);
    let run = run.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let began = std::time::Instant::now();
    while !project.path().join("ready").exists() {
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "never became ready");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    project.file_now("flag", "");
    let ran = run.wait_with_output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("not planned"), "{said}");
    assert_ne!(ran.status.code(), Some(0), "{said}");
    assert!(!project.path().join("other").exists(), "{said}");
}

#[test]
fn questions_and_failures_are_foretold() {
    let project = Project::script("confirm(\"Sure?\"); file(\"missing\").read();");
    project.runbook(&["plan", "test.rhai"]).code(1).prints("A person will be asked: Sure?").prints("It would fail:");
}
