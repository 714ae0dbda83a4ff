//! Forty secrets, written in every way that programs write them, at every place where a run shows or stores something.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::encodings::{ENCODINGS, Random, secrets};
use crate::harness::Project;

/// So many characters of a secret are a leak.
const PIECE: usize = 10;

/// Kinds of secrets of which no part may be seen; of a URL or a PEM file some is harmless.
const KINDS: [usize; 7] = [0, 1, 2, 3, 6, 8, 9];

/// Everything that is told goes into the file `told`, and what the program that tells it is given.
const PROJECT: &str = r#"[env.test]

[secrets]
sources = [{ from = "files", folder = "values" }]

[notify.channel.all]
kind = "command"
argv = ["sh", "-c", "cat >> told; env >> told"]

[[notify.rule]]
to = ["all"]
"#;

const HEAD: &str = r#"
for name in file("names").read().split("\n") { if name != "" { secret(name); } }
let all = file("emissions").read();
"#;

/// A project that knows the secrets and has a file in which they stand in every encoding.
struct Leaky {
    project: Project,
    secrets: Vec<String>,
    /// By how they begin.
    pieces: HashMap<u64, Vec<Vec<char>>>,
}

impl Leaky {
    fn new(script: &str) -> Self {
        let all = secrets(&mut Random(20_261_128), 100).into_iter().enumerate();
        let secrets: Vec<String> =
            all.filter(|(kind, _)| KINDS.contains(&(kind % 10))).map(|(_, secret)| secret).take(40).collect();
        assert_eq!(secrets.len(), 40);
        let (mut emissions, mut names) = (String::new(), String::new());
        let mut pieces: HashMap<u64, Vec<Vec<char>>> = HashMap::new();
        let mut project = Project::script(&format!("{HEAD}{script}")).file("runbook.toml", PROJECT);
        for (number, secret) in secrets.iter().enumerate() {
            names.push_str(&format!("S{number}\n"));
            project = project.file(&format!("values/S{number}"), secret);
            for (name, encode) in ENCODINGS {
                let written = encode(secret);
                emissions.push_str(&format!("{name}: <{written}>\n"));
                // As many characters as ten of the secret become.
                let plain = without_colours(&written);
                let long = (PIECE * plain.chars().count()).div_ceil(secret.chars().count()).max(PIECE);
                for line in lines_of(&plain) {
                    for piece in pieces_of(&line, long) {
                        let own = pieces.entry(beginning(piece)).or_default();
                        if !own.iter().any(|known| known == piece) {
                            own.push(piece.to_vec());
                        }
                    }
                }
            }
        }
        let project = project.file("names", &names).file("emissions", &emissions);
        Self { project, secrets, pieces }
    }

    /// No piece of any secret is in there.
    #[track_caller]
    fn is_not_in(&self, what: &str, bytes: &[u8]) {
        let text = without_colours(&String::from_utf8_lossy(bytes));
        let mut leaked = Vec::new();
        for line in lines_of(&text) {
            for (start, window) in line.windows(PIECE).enumerate() {
                let pieces = self.pieces.get(&beginning(window)).into_iter().flatten();
                let found = pieces.filter(|piece| line[start..].starts_with(piece));
                leaked.extend(found.map(|piece| piece.iter().collect::<String>()));
            }
        }
        leaked.truncate(5);
        assert!(leaked.is_empty(), "{what}: {leaked:?}");
    }

    #[track_caller]
    fn is_nowhere(&self) {
        for command in [
            &["show", "1", "--calls"][..],
            &["show", "1", "--json"],
            &["show", "1"],
            &["logs", "1"],
            &["runs", "--json"],
            &["audit", "--json"],
        ] {
            let shown = self.project.runbook(command);
            self.is_not_in(&command.join(" "), format!("{}{}", shown.stdout, shown.stderr).as_bytes());
        }
        let mut open = vec![self.project.path().join(".runbook")];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if path.metadata().unwrap().len() > 0 {
                self.is_not_in(&path.display().to_string(), &std::fs::read(&path).unwrap());
            }
        }
    }

    #[track_caller]
    fn run(&self, options: &[&str], code: i32) {
        let ran = self.project.runbook(&[&["run", "test.rhai"], options].concat()).code(code);
        self.is_not_in(&options.join(" "), format!("{}{}", ran.stdout, ran.stderr).as_bytes());
        self.is_nowhere();
        if code != 0 {
            self.is_not_in("what is told", self.project.read("told").as_bytes());
        }
    }
}

/// Every run of so many characters without a break.
fn pieces_of(line: &[char], long: usize) -> impl Iterator<Item = &[char]> {
    line.windows(long).filter(|piece| !piece.iter().any(|c| c.is_whitespace() || *c == '•'))
}

/// A number for how a piece begins, cheap enough to look at every character of a run log.
fn beginning(piece: &[char]) -> u64 {
    piece[..PIECE].iter().fold(0, |sum: u64, c| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*c))
}

fn lines_of(text: &str) -> Vec<Vec<char>> {
    text.lines().map(|line| line.chars().collect()).collect()
}

fn without_colours(text: &str) -> String {
    regex::Regex::new("\x1b\\[[0-9;]*m").unwrap().replace_all(text, "").into_owned()
}

#[test]
fn what_programs_say_shows_no_secret() {
    let script = r#"
        sh(["cat", "emissions"]);
        sh(["sh", "-c", "cat emissions >&2"], #{ read_only: true });
        for line in all.split("\n") { print(line); }
        file("copy").write(all, #{ mode: "0600" });"#;
    Leaky::new(script).run(&["-v"], 0);
    Leaky::new(script).run(&["--json"], 0);
}

#[test]
fn what_fails_shows_no_secret() {
    Leaky::new("throw all;").run(&["-v"], 1);
    Leaky::new("throw all;").run(&["--json"], 1);
    Leaky::new(r#"sh(["sh", "-c", "tail -c 40000 emissions; exit 3"]);"#).run(&[], 1);
    Leaky::new(r#"undo("back", || sh(["cat", "emissions"])); step("fails", || { throw all; });"#).run(&["-v"], 1);
    // What was read is known to be secrets by now, which are not asked about.
    Leaky::new("confirm(all);").run(&[], 1);
}

#[test]
fn a_plan_shows_no_secret() {
    let leaky = Leaky::new(
        r#"if all.contains("nothing like it") { sh(["true"]); }
        file("out").write(all, #{ mode: "0600" });
        step(all, || sh(["sh", "-c", all]));
        confirm(all);"#,
    );
    let plan = leaky.project.runbook(&["plan", "test.rhai", "--out", "plan.json"]);
    leaky.is_not_in("plan", format!("{}{}", plan.stdout, plan.stderr).as_bytes());
    leaky.is_not_in("plan.json", &std::fs::read(leaky.project.path().join("plan.json")).unwrap());
    let json = leaky.project.runbook(&["plan", "test.rhai", "--json"]);
    leaky.is_not_in("plan --json", format!("{}{}", json.stdout, json.stderr).as_bytes());
}

#[test]
fn no_other_process_is_shown_a_secret() {
    let leaky = Leaky::new(
        r#"let map = #{};
        for name in file("names").read().split("\n") { if name != "" { map[name] = secret(name); } }
        for i in 0..10 { sh(["sh", "-c", "sleep 0.05"], #{ env: map, stdin: secret("S0") }); }"#,
    );
    let (over, looks) = (AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
    let seen = std::thread::scope(|threads| {
        let watch = threads.spawn(|| {
            let mut seen = Vec::new();
            while !over.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
                    let (name, line) = (read("comm"), read("cmdline"));
                    // The program itself is given them in its environment; nobody else is.
                    let environment = if name.starts_with(b"runbook") { read("environ") } else { Vec::new() };
                    let text = String::from_utf8_lossy(&[line, environment].concat()).into_owned();
                    seen.extend(leaky.secrets.iter().filter(|secret| text.contains(&***secret)).cloned());
                    looks.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            seen
        });
        let ran = leaky.project.runbook(&["run", "test.rhai"]);
        over.store(true, Ordering::Relaxed);
        ran.success();
        watch.join().unwrap()
    });
    leaky.is_nowhere();
    assert!(seen.is_empty(), "{seen:?}");
    assert!(looks.load(Ordering::Relaxed) > 100);
}
