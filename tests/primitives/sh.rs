use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use runbook::primitive::{Effect, FailureKind, Recovery};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive};

mod killed;

#[test]
fn the_result_has_code_and_both_streams() {
    let direct = Direct::new();
    let outcome = direct.call(primitive("sh"), json!([["sh", "-c", "echo out; echo err >&2"]]), Value::Null).unwrap();
    assert_eq!(
        outcome.value,
        json!({ "code": 0, "ok": true, "signal": null, "truncated": false, "stdout": "out", "stderr": "err" })
    );
    let mut lines = direct.lines();
    lines.sort();
    assert_eq!(lines, ["stderr: err", "stdout: out"]);
}

#[test]
fn one_string_instead_of_a_list_is_answered_with_the_list() {
    let failure = Direct::new().call(primitive("sh"), json!(["ls -l /tmp"]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Argument);
    assert_eq!(
        failure.message,
        r#"argument `argv` must be a list of strings, got one string: write ["ls", "-l", "/tmp"]"#
    );
    let failure = Direct::new().call(primitive("sh"), json!(["ls | wc -l"]), Value::Null).unwrap_err();
    assert_eq!(
        failure.message,
        r#"argument `argv` must be a list of strings, got one string: write ["sh", "-c", "ls | wc -l"]"#
    );
}

#[test]
fn nothing_in_an_argument_is_expanded() {
    let outcome = Direct::new().call(primitive("sh"), json!([["printf", "%s", "$HOME; `id` *"]]), Value::Null).unwrap();
    assert_eq!(outcome.value["stdout"], "$HOME; `id` *");
}

#[test]
fn a_failing_command_shows_the_end_of_both_streams() {
    let script = "for i in $(seq 30); do echo line $i; done; echo boom >&2; exit 3";
    let failure = Direct::new().call(primitive("sh"), json!([["sh", "-c", script]]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    assert_eq!(
        failure.message,
        r#"`sh -c "for i in $(seq 30); do echo line $i; done; echo boom >&2; exit 3"` exited with code 3"#
    );
    assert_eq!(failure.evidence[0].title, "last lines of stderr");
    assert_eq!(failure.evidence[0].text, "boom");
    assert_eq!(failure.evidence[1].text.lines().count(), 20);
    assert!(failure.evidence[1].text.starts_with("line 11\n") && failure.evidence[1].text.ends_with("line 30"));
}

#[test]
fn without_check_a_code_is_a_result() {
    let outcome =
        Direct::new().call(primitive("sh"), json!([["sh", "-c", "exit 7"]]), json!({ "check": false })).unwrap();
    assert_eq!((outcome.value["code"].as_i64(), outcome.value["ok"].as_bool()), (Some(7), Some(false)));
}

#[test]
fn a_killed_command_names_the_signal() {
    let failure = Direct::new().call(primitive("sh"), json!([["sh", "-c", "kill -9 $$"]]), Value::Null).unwrap_err();
    assert_eq!(failure.message, r#"`sh -c "kill -9 $$"` was killed by SIGKILL"#);
    assert_eq!(failure.hints, ["the kernel kills like this when memory runs out: look for it in `dmesg`"]);
}

#[test]
fn options_reach_the_program() {
    let direct = Direct::new();
    direct.write("sub/file", "");
    let options = json!({ "env": { "NAME": "world", "HOME": null }, "cwd": "sub", "stdin": "typed" });
    let script = "ls; echo $NAME ${HOME-none}; cat";
    let outcome = direct.call(primitive("sh"), json!([["sh", "-c", script]]), options).unwrap();
    assert_eq!(outcome.value["stdout"], "file\nworld none\ntyped");
}

#[test]
fn it_runs_in_the_project_folder() {
    let direct = Direct::new();
    let outcome = direct.call(primitive("sh"), json!([["pwd", "-P"]]), Value::Null).unwrap();
    assert_eq!(outcome.value["stdout"], direct.path().canonicalize().unwrap().to_str().unwrap());
}

#[test]
fn a_long_output_is_returned_from_its_end_and_marked() {
    let options = json!({ "capture": "10B" });
    let outcome = Direct::new().call(primitive("sh"), json!([["sh", "-c", "seq 1 1000"]]), options).unwrap();
    assert_eq!(outcome.value["stdout"], "\n999\n1000");
    assert_eq!(outcome.value["truncated"], true);
}

#[test]
fn a_timeout_ends_the_whole_group_and_shows_what_was_written() {
    let direct = Direct::new();
    let argv = json!([["sh", "-c", "sleep 300 & echo $!; sleep 300"]]);
    let failure = direct.call(primitive("sh"), argv, json!({ "timeout": "500ms" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(failure.message, r#"timed out after 500ms while running `sh -c "sleep 300 & echo $!; sleep 300"`"#);
    let pid = &failure.evidence[0].text;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} is still there");
}

#[test]
fn a_cancelled_command_ends_at_once() {
    let direct = Direct::new();
    direct.cancel_after(Duration::from_millis(200));
    let start = Instant::now();
    let failure =
        direct.call(primitive("sh"), json!([["sh", "-c", "sleep 300 & sleep 300"]]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn output_held_by_a_background_process_is_a_warning() {
    let direct = Direct::new();
    direct.call(primitive("sh"), json!([["sh", "-c", "sleep 20 & exit 0"]]), Value::Null).unwrap();
    assert_eq!(
        direct.lines(),
        [
            r#"warn: `sh -c "sleep 20 & exit 0"` ended, but something it started still holds its output, which is read no further"#
        ]
    );
}

#[test]
fn unknown_and_wrong_options_are_named() {
    let call = |options| Direct::new().call(primitive("sh"), json!([["true"]]), options).unwrap_err().message;
    assert_eq!(call(json!({ "timeuot": "1s" })), "unknown option `timeuot`");
    assert_eq!(call(json!({ "timeout": 5 })), "option `timeout` must be a duration like \"90s\", got a number");
    assert_eq!(call(json!({ "env": { "PORT": 80 } })), "option `env.PORT` must be a string, got integer `80`");
}

#[test]
fn a_command_that_only_looks_counts_as_a_read() {
    let call = |options| runbook::primitive::Call {
        receiver: Value::Null,
        args: vec![json!(["true"])],
        options,
        blocks: Vec::new(),
        site: runbook::primitive::Site::default(),
    };
    assert_eq!(primitive("sh").effect(&call(json!({}))), Effect::Change);
    assert_eq!(primitive("sh").recovery(&call(json!({}))), Recovery::Probe);
    assert_eq!(primitive("sh").effect(&call(json!({ "read_only": true }))), Effect::Read);
    assert_eq!(primitive("sh").recovery(&call(json!({ "read_only": true }))), Recovery::Pure);
}

#[test]
fn a_script_reads_the_result_and_the_console_shows_the_failure() {
    let project = Project::script(
        r#"let tag = sh(["sh", "-c", "echo v7"]).stdout;
let quiet = sh(["false"], #{ check: false });
info(`tag ${tag}, code ${quiet.code}, ok ${quiet.ok}`);
sh(["sh", "-c", "echo no such table >&2; exit 4"], #{ env: #{ A: "1", HOME: () } });"#,
    );
    let ran = project.run().code(1);
    ran.says("tag v7, code 1, ok false").says("exited with code 4").says("no such table");
}

#[test]
fn one_string_is_found_before_anything_runs() {
    let project = Project::script("file(\"touched\").write(\"\");\nsh(\"ls -l\");");
    project.run().code(2).says(r#"write ["ls", "-l"]"#);
    assert!(!project.path().join("touched").exists());
}

/// Is there a process with this word in its command line?
fn is_running(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).any(|line| line.split('\0').any(|part| part == word))
}

#[test]
fn ctrl_c_ends_a_command_and_all_it_started() {
    let project = Project::script(r#"sh(["sh", "-c", "sleep 31001 & touch ready; sleep 31001"]);"#);
    let ready = project.path().join("ready");
    let (ran, took) = project.interrupted(&["run", "test.rhai"], Signal::INT, || ready.exists());
    ran.code(130);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!is_running("31001"));
}

#[test]
fn a_second_ctrl_c_ends_a_command_that_is_deaf_to_the_first() {
    let script = r#"sh(["sh", "-c", "trap '' TERM; touch ready; while :; do sleep 31002; done"]);"#;
    let project = Project::script(script);
    let mut child = project.command(&["run", "test.rhai"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !project.path().join("ready").exists() || !is_running("31002") {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("press Ctrl-C again to end at once")));
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    while is_running("31002") {
        assert!(began.elapsed() < Duration::from_secs(60), "it is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}
