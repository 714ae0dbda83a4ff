//! A run that died goes on where it died.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::Project;

/// Starts `test.rhai` and kills it once the file `ready` is there.
pub fn killed(project: &Project) {
    let mut child = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !project.path().join("ready").exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "never became ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The file is there before its call has ended.
    std::thread::sleep(Duration::from_millis(300));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What stands in the file that the script's commands append to.
fn effects(project: &Project) -> String {
    std::fs::read_to_string(project.path().join("effects")).unwrap_or_default().replace('\n', " ").trim().to_owned()
}

const APPEND: &str = "fn note(text) { sh([\"sh\", \"-c\", `echo ${text} >> effects`]) }\n";
pub const HOLD: &str =
    "file(\"ready\").write(\"\"); wait_until(\"go\", || file(\"go\").exists(), #{ every: \"10ms\" });";

#[test]
fn what_was_done_is_not_done_again() {
    let script = format!(
        "{APPEND}let a = step(\"first\", || {{ info(\"once\"); note(\"a\"); 41 }});
        let seen = parallel([1, 2], |n| {{ note(`p${{n}}`); n * 10 }});
        try {{ sh([\"false\"]) }} catch (error) {{ note(\"caught\") }}
        retry(#{{ times: 2, delay: \"1ms\" }}, |attempt| {{ note(`try${{attempt}}`); if attempt == 1 {{ throw \"again\" }} }});
        {HOLD}
        note(`z${{a + 1}}`); seen"
    );
    let project = Project::script(&script);
    killed(&project);
    project.file_now("go", "");
    let resumed = project.runbook(&["resume"]).success();
    resumed.says("run 1 goes on: test.rhai on default").never_says("info: once").says("since it went on");
    let mut all: Vec<String> = effects(&project).split(' ').map(str::to_owned).collect();
    assert_eq!(all.pop().as_deref(), Some("z42"));
    all.sort();
    assert_eq!(all, ["a", "caught", "p1", "p2", "try1", "try2"]);
    project.runbook(&["show", "1", "--json"]).success().prints("\"result\": [\n    10,\n    20\n  ]");
    assert_eq!(project.runbook(&["logs", "1"]).stdout.matches("once").count(), 1);
    let shown = project.runbook(&["show", "1"]).success();
    let lines = shown.stdout.lines().filter(|line| line.starts_with("stood still ") || line.starts_with("went on "));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 2, "{}", shown.stdout);
    assert!(lines[0].ends_with(", killed") && lines[1].contains(" by "), "{lines:?}");
}

#[test]
fn what_was_under_way_when_the_process_died_counts_among_what_it_did() {
    let script = "file(\"ready\").write(\"\"); sh([\"sh\", \"-c\", \"sleep 1; echo b >> effects\"]);";
    let project = Project::script(script);
    killed(&project);
    let resumed = project.runbook(&["resume"]).success();
    resumed.says("1 call may have changed something").says("sh -c");
    assert_eq!(effects(&project), "b");
}

#[test]
fn a_run_that_failed_before_it_died_goes_on_undoing() {
    let script = format!(
        "{APPEND}undo(\"last\", || note(\"undone-1\"));
        note(\"a\");
        undo(\"first\", || {{ note(\"undone-2\"); {HOLD} note(\"undone-3\"); }});
        throw \"no further\""
    );
    let project = Project::script(&script);
    killed(&project);
    assert_eq!(effects(&project), "a undone-2");
    project.file_now("go", "");
    project.runbook(&["resume", "1"]).code(1).says("no further");
    assert_eq!(effects(&project), "a undone-2 undone-3 undone-1");
}

#[test]
fn a_run_that_died_can_be_cancelled_and_is_undone() {
    let script = format!("{APPEND}note(\"a\"); undo(\"a\", || note(\"undone\")); {HOLD} note(\"b\");");
    let project = Project::script(&script);
    killed(&project);
    project.runbook(&["cancel", "1"]).success();
    assert_eq!(effects(&project), "a undone");
    project.runbook(&["runs"]).success().prints("cancelled");
    project.runbook(&["resume", "1"]).code(2).says("run 1 has ended");
    project.file_now("test.rhai", "info(\"another\");");
    project.runbook(&["resume", "1", "--with-new-script"]).code(2).says("run 1 has ended").never_says("diverged");
}

#[test]
fn a_run_that_dies_while_it_is_told_to_stop_is_undone_all_the_same() {
    let script = format!("{APPEND}note(\"a\"); undo(\"a\", || note(\"undone\")); {HOLD} note(\"b\");");
    let project = Project::script(&script);
    let mut child = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !project.path().join("ready").exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "never became ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    // It cannot hear what it is told.
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
    let cancelling = project.command(&["cancel", "1"]).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    child.kill().unwrap();
    child.wait().unwrap();
    let ended = cancelling.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("it is undone here"), "{said}");
    assert_eq!(effects(&project), "a undone");
    project.runbook(&["runs"]).success().prints("cancelled");
}

#[test]
fn branches_that_had_ended_are_no_obstacle_to_the_cancellation() {
    let all = [
        ("parallel([1, 2], |x| x + 1);", "undone"),
        ("parallel([1], |x| note(\"a\"));", "a undone"),
        ("parallel([1], |x| retry(#{ times: 2, delay: \"1ms\" }, |n| { note(`a${n}`); if n < 2 { throw \"no\" } }));", "a1 a2 undone"),
        ("rolling([\"a\", \"b\"], #{ batch: \"1\", gate: || true }, |host| note(host));", "a b undone"),
        (
            "rolling([\"a\", \"b\", \"c\"], #{ batch: \"1\", max_failures: 1 }, |host| {
                undo(host, || note(`un-${host}`)); note(host); if host == \"b\" { throw \"no\" } });",
            "a b un-b c undone un-c un-a",
        ),
        (
            "try { rolling([\"a\", \"b\", \"c\"], #{ batch: \"1\" }, |host| {
                undo(host, || note(`un-${host}`)); note(host); if host == \"b\" { throw \"no\" } }); } catch { note(\"caught\") }",
            "a b un-b un-a caught undone",
        ),
    ];
    for (branches, expected) in all {
        let script = format!("{APPEND}{branches} undo(\"it\", || note(\"undone\")); {HOLD} note(\"never\");");
        let project = Project::script(&script);
        killed(&project);
        project.runbook(&["cancel", "1"]).success();
        assert_eq!(effects(&project), expected, "{branches}");
        project.runbook(&["runs"]).success().prints("cancelled");
    }
}

#[test]
fn a_running_run_is_cancelled_from_elsewhere() {
    let script = format!("{APPEND}note(\"a\"); undo(\"a\", || note(\"undone\")); {HOLD} note(\"b\");");
    let project = Project::script(&script);
    let child = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !project.path().join("ready").exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "never became ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    project.runbook(&["cancel"]).success().says("run 1 ended: cancelled");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert_eq!(effects(&project), "a undone");
    project.runbook(&["cancel"]).code(2).says("no run is going on");
}

#[test]
fn a_changed_script_is_told_where_it_differs() {
    let before = format!("{APPEND}note(\"a\"); {HOLD} note(\"b\");");
    let project = Project::script(&before);
    killed(&project);
    project.file_now("go", "");
    project.file_now("test.rhai", &before.replace("note(\"a\")", "note(\"c\")"));
    let refused = project.runbook(&["resume", "--with-new-script"]).code(2);
    refused.says("diverged at test.rhai:1").says("echo a >> effects").says("echo c >> effects");
    assert_eq!(effects(&project), "a");
    project.file_now("test.rhai", &before.replace("note(\"b\")", "note(\"better\")"));
    project.runbook(&["resume", "--with-new-script"]).success();
    assert_eq!(effects(&project), "a better");
    project.runbook(&["show", "1", "--script"]).success().prints("better");
}

#[test]
fn a_question_parks_the_run_until_somebody_answers() {
    let script = format!("{APPEND}note(\"a\"); undo(\"a\", || note(\"undone\")); confirm(\"Go on?\"); note(\"b\")");
    let project = Project::script(&script);
    project.run().code(3).says("run 1 waits for an answer").says("runbook approve 1");
    project.runbook(&["runs"]).success().prints("waiting");
    project.runbook(&["show", "1"]).success().prints("waiting since").prints("runbook approve 1 --digest ");
    project.runbook(&["approve", "1", "--digest", "0000"]).code(2).says("not with the one given");
    project.runbook(&["approve"]).success();
    assert_eq!(effects(&project), "a b");
    project.runbook(&["approve", "1"]).code(2).says("does not wait for an answer");

    project.run().code(3);
    project.runbook(&["reject", "2", "--reason", "not today"]).code(1).says("said no to `Go on?`: not today");
    assert_eq!(effects(&project), "a b a undone");
}

#[test]
fn an_answer_comes_too_late() {
    let script = "confirm(\"Go on?\", #{ expires: \"1ms\" });";
    let project = Project::script(script);
    project.run().code(3);
    std::thread::sleep(Duration::from_millis(20));
    project.runbook(&["approve", "1"]).code(2).says("has expired");
    project.runbook(&["resume", "1"]).code(3);
}

#[test]
fn a_run_that_was_overtaken_is_not_gone_on_with_by_accident() {
    let script =
        format!("{APPEND}file(\"now\").write(param(\"tag\")); undo(\"back\", || file(\"now\").write(\"old\")); {HOLD}");
    let project = Project::script(&format!("//! @param tag: string = \"1\"  the tag\n{script}"));
    killed(&project);
    project.file_now("go", "");
    project.runbook(&["run", "test.rhai", "--tag", "2"]).success();
    project.runbook(&["resume", "1"]).code(2).says("run 2 of test.rhai has changed something on default since run 1");
    project.runbook(&["cancel", "1"]).code(2).says("runbook resume 1 --anyway");
    assert_eq!(project.read("now"), "2");
    project.runbook(&["resume", "1", "--anyway"]).success();
    assert_eq!(project.read("now"), "2", "the write was done before and is not done again");
}

#[test]
fn a_run_is_not_gone_on_with_in_the_folder_of_another_project() {
    let state = tempfile::tempdir().unwrap();
    let shared = state.path().to_str().unwrap();
    let script = format!("{APPEND}note(\"a\"); undo(\"back\", || note(\"undone\")); {HOLD} note(\"b\");");
    let one = Project::script(&script).file("runbook.toml", "").env("RUNBOOK_STATE", shared);
    let other = Project::script(&script).file("runbook.toml", "").env("RUNBOOK_STATE", shared);
    killed(&one);
    one.file_now("go", "");
    for words in [["resume", "1"], ["cancel", "1"]] {
        let began = format!("run 1 began in the project `{}`", one.path().display());
        other.runbook(&words).code(2).says(&began).says("resume 1 --anyway");
    }
    assert_eq!((effects(&one).as_str(), effects(&other).as_str()), ("a", ""));
    one.runbook(&["resume", "1"]).success();
    assert_eq!(effects(&one), "a b");
}

#[test]
fn a_project_whose_folder_was_moved_goes_on_where_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("{APPEND}note(\"a\"); {HOLD} note(\"b\");");
    let project = Project::script(&script);
    killed(&project);
    project.file_now("go", "");
    let moved = folder.path().join("moved");
    std::fs::rename(project.path(), &moved).unwrap();
    let ran = project.command(&["resume"]).current_dir(&moved).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(std::fs::read_to_string(moved.join("effects")).unwrap(), "a\nb\n");
}

#[test]
fn a_look_that_is_made_again_does_not_say_again_what_it_had_said() {
    let look = "echo seen; echo seen; touch ready; until [ -e go ]; do sleep 0.02; done; echo more";
    let project = Project::script(&format!("sh([\"sh\", \"-c\", \"{look}\"], #{{ read_only: true }})"));
    killed(&project);
    project.file_now("go", "");
    project.runbook(&["resume"]).success();
    let lines: Vec<String> = project.runbook(&["logs", "1"]).stdout.lines().map(str::to_owned).collect();
    let said = |word: &str| lines.iter().filter(|line| line.ends_with(word)).count();
    assert_eq!((said("seen"), said("more")), (2, 1), "{lines:?}");
}
