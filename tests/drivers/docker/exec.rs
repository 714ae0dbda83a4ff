use std::time::{Duration, Instant};

use runbook::drivers::docker::{Chunk, Engine, ExecRequest, OutputStream};
use runbook::primitive::FailureKind;

use crate::harness::Lab;

fn command(words: &[&str]) -> ExecRequest {
    ExecRequest { command: words.iter().map(|word| (*word).to_owned()).collect(), ..ExecRequest::default() }
}

#[test]
fn both_streams_the_exit_code_and_the_surroundings_arrive() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("app", "sleep 600");
    let request = ExecRequest {
        user: Some("1000:1000".into()),
        env: vec!["COLOUR=blue".into()],
        working_dir: Some("/tmp".into()),
        ..command(&["/bin/sh", "-c", "echo $COLOUR; pwd; id -u >&2; exit 7"])
    };
    let mut seen = Vec::new();
    let mut keep = |stream, line: &str| seen.push((stream, line.to_owned()));
    let finished = lab.run(lab.engine.exec(&name, &request, None, &mut keep)).unwrap();
    assert_eq!((finished.exit_code, finished.not_started), (7, None));
    let of = |wanted| seen.iter().filter(|(stream, _)| *stream == wanted).map(|(_, line)| line.as_str()).collect();
    let (out, err): (Vec<_>, Vec<_>) = (of(OutputStream::Stdout), of(OutputStream::Stderr));
    assert_eq!((out, err), (vec!["blue", "/tmp"], vec!["1000"]));
}

#[test]
fn eight_megabytes_of_input_come_back_unchanged() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("cat", "sleep 600");
    let input: Vec<u8> = (0..8_000_000u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let mut output = Vec::new();
    let mut keep = |chunk: Chunk| output.extend_from_slice(&chunk.bytes);
    let reader = Box::pin(std::io::Cursor::new(input.clone()));
    let finished = lab.run(lab.engine.exec_bytes(&name, &command(&["cat"]), Some(reader), &mut keep)).unwrap();
    assert_eq!(finished.exit_code, 0);
    assert!(output == input, "{} of {} bytes", output.len(), input.len());
}

#[test]
fn a_command_that_ignores_its_input_ends() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("deaf", "sleep 600");
    let reader = Box::pin(std::io::Cursor::new(vec![b'x'; 4_000_000]));
    let finished = lab.run(lab.engine.exec(&name, &command(&["true"]), Some(reader), &mut |_, _| {})).unwrap();
    assert_eq!(finished.exit_code, 0);
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("app", "sleep 600");
    let mut lines = Vec::new();
    let mut keep = |_, line: &str| lines.push(line.to_owned());
    let finished = lab.run(lab.engine.exec(&name, &command(&["nope"]), None, &mut keep)).unwrap();
    assert_eq!(finished.exit_code, 126);
    assert_eq!(finished.not_started.unwrap(), "`nope`: executable file not found in $PATH");
    assert_eq!(lines, Vec::<String>::new(), "the engine's words are not the program's output");
}

#[test]
fn a_command_past_its_limit_is_really_killed_with_its_children() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("slow", "sleep 600");
    let request = ExecRequest {
        limit: Some(Duration::from_millis(700)),
        ..command(&["/bin/sh", "-c", "trap '' TERM; sleep 501 & setsid sleep 502 & wait"])
    };
    let failure = lab.run(lab.engine.exec(&name, &request, None, &mut |_, _| {})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(failure.hints, ["it was killed, with everything it started"]);
    let processes = lab.exec(&name, &["ps", "-o", "args"]).1;
    assert!(processes.contains("sleep 600"), "the container itself lives on: {processes}");
    assert!(!processes.contains("sleep 501") && !processes.contains("sleep 502"), "{processes}");
}

#[test]
fn a_command_nobody_waits_for_any_more_is_killed() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("dropped", "sleep 600");
    let request = command(&["sleep", "503"]);
    let begun = Instant::now();
    let dropped = lab.run(async {
        let mut ignore = |_, _: &str| {};
        let work = lab.engine.exec(&name, &request, None, &mut ignore);
        Ok(tokio::time::timeout(Duration::from_millis(500), work).await.is_err())
    });
    assert!(dropped.unwrap());
    assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
    let processes = lab.exec(&name, &["ps", "-o", "args"]).1;
    assert!(!processes.contains("sleep 503"), "{processes}");
}

#[test]
fn a_stopped_container_says_what_to_do() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("stopped", "true");
    lab.run(lab.engine.wait(&name)).unwrap();
    let failure = lab.run(lab.engine.exec(&name, &command(&["true"]), None, &mut |_, _| {})).unwrap_err();
    assert_eq!(failure.hints, ["start the container first"]);
}

#[test]
fn a_command_on_another_machine_is_killed_by_a_shell_in_its_container() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("afar", "sleep 600");
    let far = Engine::at(&lab.afar()).unwrap();
    let limited = ExecRequest {
        limit: Some(Duration::from_millis(700)),
        user: Some("1000".into()),
        ..command(&["/bin/sh", "-c", "sleep 504 & sleep 505"])
    };
    let failure = lab.run(far.exec(&name, &limited, None, &mut |_, _| {})).unwrap_err();
    assert_eq!(failure.hints, ["it was killed, with everything it started"]);

    let begun = Instant::now();
    let request = command(&["sleep", "506"]);
    let dropped = lab.run(async {
        let mut ignore = |_, _: &str| {};
        let work = far.exec(&name, &request, None, &mut ignore);
        Ok(tokio::time::timeout(Duration::from_millis(500), work).await.is_err())
    });
    assert!(dropped.unwrap());
    assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
    let processes = lab.exec(&name, &["ps", "-o", "args"]).1;
    assert!(processes.contains("sleep 600"), "{processes}");
    assert!(!processes.contains("sleep 50"), "{processes}");
}

#[test]
fn work_with_an_engine_may_move_between_threads() {
    fn movable<T: Send>(_: &T) {}
    let Some(lab) = Lab::start() else { return };
    let (request, mut ignore) = (command(&["true"]), |_, _: &str| {});
    movable(&lab.engine.exec("c", &request, None, &mut ignore));
    movable(&lab.engine.wait_healthy("c", &runbook::drivers::docker::HealthWait::default()));
    movable(&lab.engine.create(&runbook::drivers::docker::ContainerSpec::default()));
    let reference = runbook::drivers::docker::Reference::parse("app:1").unwrap();
    movable(&lab.engine.pull(&reference, None, None, &mut |_| {}));
}
