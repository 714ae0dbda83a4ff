//! `runbook redact`: the filter for pipes.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::harness::Project;

const PROJECT: &str = "[env.prod]\n[secrets]\nsources = [{ from = \"dotenv\", file = \".env.prod\" }]\n";

fn filtered(project: &Project, arguments: &[&str], pieces: &[&[u8]]) -> (Vec<u8>, i32) {
    let mut child =
        project.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for piece in pieces {
        input.write_all(piece).unwrap();
        input.flush().unwrap();
    }
    drop(input);
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    (out, child.wait().unwrap().code().unwrap())
}

#[test]
fn what_looks_like_a_secret_in_the_environment_is_masked() {
    let project = Project::new().env("API_TOKEN", "Jk3-xQ9_Zr7.Lm2");
    let input: &[&[u8]] = &[b"token: Jk3-xQ", b"9_Zr7.Lm2, in base64: SmszLXhROV9acjcuTG0y\n", b"\x00\xff rest"];
    let (out, code) = filtered(&project, &["redact"], input);
    assert_eq!(code, 0);
    let expected = ["token: ••••••, in base64: ••••••\n".as_bytes(), b"\x00\xff rest"].concat();
    assert_eq!(out, expected, "{}", String::from_utf8_lossy(&out));
}

#[test]
fn an_environment_that_there_is_not_is_refused_and_nothing_is_copied() {
    let project = Project::new().file("runbook.toml", "[env.prod]\n[env.staging]\n");
    let (out, code) = filtered(&project, &["redact", "--env", "nowhere"], &[b""]);
    assert_eq!((out.len(), code), (0, 2));
}

#[test]
fn the_secrets_of_the_sources_are_masked() {
    let project = Project::new()
        .file("runbook.toml", PROJECT)
        .file(".env.prod", "DB_PASSWORD=correct-horse-battery\nPORT=80\nEMPTY=\n");
    let (out, code) = filtered(&project, &["redact", "--env", "prod"], &[b"pw=correct-horse-battery\n"]);
    assert_eq!((String::from_utf8_lossy(&out).as_ref(), code), ("pw=••••••\n", 0));
}

#[test]
fn lines_that_come_one_by_one_are_shown_one_by_one() {
    let project = Project::new().env("API_TOKEN", "Jk3-xQ9_Zr7.Lm2");
    let mut child = project
        .command(&["redact"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for line in ["hello\n", "\n", "a\n", "token: Jk3-xQ9_Zr7.Lm2\n", "\n", "b\n"] {
        input.write_all(line.as_bytes()).unwrap();
        let expected = line.replace("Jk3-xQ9_Zr7.Lm2", "••••••");
        let mut shown = vec![0; expected.len()];
        output.read_exact(&mut shown).unwrap();
        assert_eq!(String::from_utf8(shown).unwrap(), expected);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}
