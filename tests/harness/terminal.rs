//! A person at a terminal.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Project;

/// Runs `runbook ARGUMENTS…` at a terminal of its own, answering each question when it comes; returns all that the terminal shows.
pub fn at_terminal(
    project: &Project,
    environment: &[(&str, &str)],
    arguments: &[&str],
    answers: &[(&str, &[u8])],
) -> (String, bool) {
    let line = format!("{} {}", env!("CARGO_BIN_EXE_runbook"), arguments.join(" "));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(project.path()).envs(environment.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut piece = [0; 1024];
        while let Ok(length) = screen.read(&mut piece) {
            if length == 0 || sender.send(piece[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    let (mut shown, began) = (String::new(), Instant::now());
    for (question, keys) in answers {
        while !shown.contains(question) {
            assert!(began.elapsed() < Duration::from_secs(60), "never asked {question}: {shown}");
            if let Ok(piece) = receiver.recv_timeout(Duration::from_millis(100)) {
                shown.push_str(&String::from_utf8_lossy(&piece));
            }
        }
        // What is typed before the terminal stopped showing it is thrown away.
        std::thread::sleep(Duration::from_millis(300));
        keyboard.write_all(keys).unwrap();
    }
    while let Ok(piece) = receiver.recv_timeout(Duration::from_secs(60)) {
        shown.push_str(&String::from_utf8_lossy(&piece));
    }
    (shown, child.wait().unwrap().success())
}

/// Is the program there that makes a terminal?
pub fn has_script() -> bool {
    let there = Command::new("script").arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !there {
        super::skip("script (apt-get install bsdutils)");
    }
    there
}
