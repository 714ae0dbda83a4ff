//! Random values through the real readers: each comes back as it was, or was refused.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use runbook::secrets::env_file::{Contents, Dialect};

use super::random::{count, values};
use crate::harness::{Lab, skip};

/// What is written of the random values for this dialect: those that it cannot hold are refused one by one.
fn written(dialect: Dialect) -> (Vec<(String, String)>, String, usize) {
    let (mut kept, mut text, mut refused) = (Vec::new(), String::new(), 0);
    for pair in values() {
        match (Contents { dialects: &[dialect], values: std::slice::from_ref(&pair), comment: "" }).whole() {
            Ok(lines) => {
                text.push_str(&lines);
                kept.push(pair);
            }
            Err(_) => refused += 1,
        }
    }
    assert_eq!(Contents { dialects: &[dialect], values: &kept, comment: "" }.whole().unwrap(), text);
    assert!(kept.len() * 3 > count(), "most values were refused: {refused}");
    (kept, text, refused)
}

/// The same in files of so many variables: the environment of one program has an end.
fn files(dialect: Dialect, size: usize) -> Vec<(Vec<(String, String)>, String)> {
    let (kept, _, _) = written(dialect);
    let file = |values: &[(String, String)]| {
        (values.to_vec(), Contents { dialects: &[dialect], values, comment: "" }.whole().unwrap())
    };
    kept.chunks(size).map(file).collect()
}

/// Names and values of what `env -0` printed.
fn environment(printed: &[u8]) -> BTreeMap<String, String> {
    let pairs = printed.split(|byte| *byte == 0).filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| String::from_utf8(pair.to_vec()).expect("valid UTF-8"));
    pairs.map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()).collect()
}

fn came_back(reader: &str, wanted: &[(String, String)], found: &BTreeMap<String, String>) {
    for (name, value) in wanted {
        assert_eq!(found.get(name), Some(value), "{reader} reads `{name}` as another value");
    }
}

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--help").stdin(Stdio::null()).output().is_ok()
}

#[test]
fn docker_run_reads_every_value_as_it_was() {
    let Some(lab) = Lab::start() else { return };
    if !is_there("docker") {
        return skip("the Docker command line (apt-get install docker.io)");
    }
    let image = lab.image("env-file", "1", "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    for (wanted, text) in files(Dialect::Docker, 5_000) {
        std::fs::write(&path, text).unwrap();
        let mut run = Command::new("docker");
        run.args(["--host", lab.engine.address(), "run", "--rm", "--network", "none", "--env-file"]);
        came_back("docker run", &wanted, &environment(&output(run.arg(&path).args([&image, "/bin/env", "-0"]))));
    }
}

#[test]
fn the_longest_line_is_what_the_docker_command_line_says_it_is() {
    let Some(lab) = Lab::start() else { return };
    if !is_there("docker") {
        return skip("the Docker command line (apt-get install docker.io)");
    }
    let image = lab.image("env-file-long", "1", "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    for (length, is_read) in [((64 << 10) - 3, true), ((64 << 10) - 2, false)] {
        let text = format!("V={}\n", "x".repeat(length));
        std::fs::write(&path, &text).unwrap();
        let mut run = Command::new("docker");
        run.args(["--host", lab.engine.address(), "run", "--rm", "--network", "none", "--env-file"]);
        let ran = run.arg(&path).args([&image, "/bin/true"]).stdin(Stdio::null()).output().unwrap();
        assert_eq!((ran.status.success(), Dialect::Docker.read(&text).is_ok()), (is_read, is_read), "{length}");
    }
}

#[test]
fn shells_read_every_value_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    let shells: [&[&str]; 3] = [&["dash"], &["busybox", "sh"], &["bash", "--posix"]];
    for shell in shells {
        if !is_there(shell[0]) {
            skip(&format!("the shell {}", shell[0]));
            continue;
        }
        for (wanted, text) in files(Dialect::Dotenv, 5_000) {
            std::fs::write(&path, text).unwrap();
            let mut run = Command::new(shell[0]);
            run.args(&shell[1..]).args(["-c", "set -a; . \"$0\"; exec env -0"]).arg(&path).env_clear();
            came_back(shell[0], &wanted, &environment(&output(run.env("PATH", "/usr/bin:/bin"))));
        }
    }
}

/// Reads a file with systemd's own parser: what the service manager does with `EnvironmentFile=`, from its library.
const SYSTEMD: &str = r"
import ctypes, glob, sys
library = ctypes.CDLL(sorted(glob.glob('/usr/lib/*/systemd/libsystemd-shared-*.so') + glob.glob('/usr/lib/systemd/libsystemd-shared-*.so'))[-1])
library.strv_env_clean_with_callback.restype = ctypes.POINTER(ctypes.c_char_p)
found = ctypes.POINTER(ctypes.c_char_p)()
if library.load_env_file(None, sys.argv[1].encode(), ctypes.byref(found)) < 0:
    sys.exit('the file is refused')
if found:
    found, index = library.strv_env_clean_with_callback(found, None, None), 0
    while found[index] is not None:
        sys.stdout.buffer.write(found[index] + b'\0')
        index += 1
";

/// `None`, said aloud, when systemd's library or Python is not here.
fn systemd(path: &Path) -> Option<Command> {
    let has_library = ["/usr/lib/x86_64-linux-gnu/systemd", "/usr/lib/aarch64-linux-gnu/systemd", "/usr/lib/systemd"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libsystemd-shared-"));
    if !has_library || !is_there("python3") {
        skip("systemd and Python (apt-get install systemd python3)");
        return None;
    }
    let mut run = Command::new("python3");
    run.args(["-c", SYSTEMD]).arg(path);
    Some(run)
}

#[test]
fn systemd_reads_every_value_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    let Some(mut run) = systemd(&path) else { return };
    let (wanted, text, refused) = written(Dialect::Systemd);
    std::fs::write(&path, text).unwrap();
    came_back("systemd", &wanted, &environment(&output(&mut run)));
    assert!(refused > 0, "there are values that no file for systemd can hold");
}

#[test]
fn systemd_leaves_out_a_name_and_refuses_a_file_as_its_rules_here_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    let Some(mut run) = systemd(&path) else { return };
    std::fs::write(&path, "a.b=1\n1A=1\nD='d\t\n'\n").unwrap();
    let found = environment(&output(&mut run));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("D".to_owned(), "d\t\n".to_owned())]);
    std::fs::write(&path, "A=\u{fffe}\n").unwrap();
    assert!(!run.output().unwrap().status.success());
}

#[test]
fn compose_reads_every_value_as_it_was() {
    let (wanted, text, refused) = written(Dialect::Compose);
    let found = runbook::compose::dotenv::parse(&text, ".env").unwrap();
    came_back("Compose", &wanted, &found.into_iter().map(|found| (found.name, found.value)).collect());
    assert_eq!(refused, 0, "Compose can hold every value");
}
