//! A plan is true: what it lists is what the run does, in both directions; and one that has become untrue is refused.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use crate::harness::{Project, Ran};

/// A change as both sides name it: the call's path, the sign's word, and what is changed.
type Named = (String, String, String);

fn named(path: &Value, changes: &Value) -> Vec<Named> {
    let text = |value: &Value| without_chance(value.as_str().unwrap_or_default());
    let changes = changes.as_array().cloned().unwrap_or_default();
    changes.iter().map(|change| (text(path), text(&change["action"]), text(&change["what"]))).collect()
}

/// A text in which a name that a drill or a recovery made up out of the time and of chance, each time another, is always the same.
fn without_chance(text: &str) -> String {
    ["drill", "recovery"].into_iter().fold(text.to_owned(), |text, kind| {
        let begin = format!("{kind}-2");
        let mut parts = text.split(&begin);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + kind + part.get("0261129t142838z-33fb24".len()..).unwrap_or_default())
    })
}

/// What is planned without a condition, and the calls with one: these may do anything to what they name.
fn planned(plan: &Value) -> (BTreeSet<Named>, BTreeSet<String>) {
    let (mut certain, mut conditional) = (BTreeSet::new(), BTreeSet::new());
    for call in plan["calls"].as_array().unwrap() {
        if call["changes"].as_array().unwrap().iter().any(|change| change.get("condition").is_some()) {
            conditional.insert(call["path"].as_str().unwrap().to_owned());
        } else {
            certain.extend(named(&call["path"], &call["changes"]));
        }
    }
    (certain, conditional)
}

fn made(events: &str) -> BTreeSet<Named> {
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events
        .filter(|event| event["event"] == "call_finished")
        .flat_map(|event| named(&event["path"], &event["changes"]))
        .collect()
}

/// Plans, runs, and compares.
#[track_caller]
fn same_in_both_directions(project: &Project, what: &str) -> usize {
    let (changes, is_whole) = plan_comes_true(|words| project.runbook(words), &["test.rhai"], what);
    assert!(is_whole, "{what}");
    changes
}

/// Plans a runbook, runs it, and compares; returns how many changes were made as planned, and whether the plan foresaw all of it.
/// One that ends earlier, and says so, has to be right up to there.
#[track_caller]
pub fn plan_comes_true(runbook: impl Fn(&[&str]) -> Ran, words: &[&str], what: &str) -> (usize, bool) {
    let plan = runbook(&[&["plan"], words, &["--json"]].concat()).success();
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let is_whole = plan["certain_until"].is_null();
    let ran = runbook(&[&["run"], words, &["--json"]].concat()).success();
    let ((certain, conditional), mut made) = (planned(&plan), made(&ran.stdout));
    made.retain(|(path, ..)| {
        !conditional.contains(path) && (is_whole || certain.iter().any(|(planned, ..)| planned == path))
    });
    assert_eq!(certain, made, "{what}");
    (made.len(), is_whole)
}

/// A small generator whose numbers are the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One statement that looks, decides or changes something among a few files.
fn statement(dice: &mut Dice, depth: usize) -> String {
    let name = ["a", "b", "c", "sub/d", "e", "f"][usize::try_from(dice.roll(6)).unwrap()];
    // What is decided on is nothing that the runbook writes: a plan would rightly end there.
    let seen = ["in1", "in2", "in3"][usize::try_from(dice.roll(3)).unwrap()];
    let text = dice.roll(3);
    let once = dice.roll(1_000_000);
    let inner = |dice: &mut Dice| if depth < 2 { statement(dice, depth + 1) } else { "info(\"deep\");".into() };
    match dice.roll(11) {
        0 | 1 => format!("file(\"{name}\").write(\"{text}\\n\");"),
        2 => format!("file(\"{name}\").write(\"{text}\\n\", #{{ mode: \"0600\" }});"),
        3 => "folder(\"sub\").create();".into(),
        4 => format!("if file(\"{seen}\").exists() {{ {} }} else {{ {} }}", inner(dice), inner(dice)),
        5 => format!("if file(\"{seen}\").exists() {{ file(\"{seen}\").copy(\"copy-{once}\"); }}"),
        6 => format!("step(\"step {once}\", || {{ {} {} }});", inner(dice), inner(dice)),
        7 => format!("parallel([|| {{ {} }}, || {{ file(\"p{text}\").write(\"x\"); }}]);", inner(dice)),
        8 => format!("retry(#{{ times: 2, delay: \"1ms\" }}, || {{ {} }});", inner(dice)),
        9 => format!("file(\"{name}\").append_line(\"{text}\");"),
        _ => format!("try {{ {} throw \"x\" }} catch (error) {{ {} }}", inner(dice), inner(dice)),
    }
}

#[test]
fn thirty_generated_runbooks_do_what_their_plans_say() {
    let mut changes = 0;
    for seed in 0..30 {
        let mut dice = Dice(seed);
        let mut script = String::from("let said = sh([\"cat\", \"in1\"], #{ read_only: true }).stdout;\n");
        script.push_str("folder(\"sub\").create(); file(\"said-before\").write(said);\n");
        for _ in 0..6 + dice.roll(8) {
            writeln!(script, "{}", statement(&mut dice, 0)).unwrap();
        }
        // Nobody knows what a command touches, so a plan decides on nothing after one.
        script.push_str("sh([\"sh\", \"-c\", \"echo end >> said\"]);\n");
        let project = Project::script(&script).file("a", "0\n").file("sub/d", "1\n").file("in1", "1").file("in3", "");
        changes += same_in_both_directions(&project, &format!("runbook {seed}:\n{script}"));
    }
    assert!(changes > 100, "the generated runbooks change too little to prove anything: {changes}");
}

#[test]
fn a_plan_of_what_was_done_is_empty() {
    let project = Project::script(
        "folder(\"d\").create(); file(\"d/a\").write(\"1\"); template(\"t\", #{ x: 1 }, #{ to: \"out\" });",
    )
    .file("t", "x = {{ x }}\n");
    assert_eq!(same_in_both_directions(&project, "the first time"), 3);
    let again = project.runbook(&["plan", "test.rhai"]).success();
    again.prints("No changes: everything is as the runbook wants it.");
}

const DRIFTING: &str = "//! @param n: integer = 1  a number
import \"words\" as words;
let look = [file(\"in\").read(), file(\"there\").exists(), folder(\"list\").list(), sh([\"cat\", \"said\"], #{ read_only: true }).stdout,
    env_var(\"DRIFT\", \"none\"), env::x, param(\"n\"), words::word(), git(\"repo\").revision()];
file(\"out\").write(file(\"in\").read());
file(\"mode\").write(\"m\", #{ mode: \"0600\" });
file(\"copy\").copy(\"to\");
file(\"gone\").remove();
folder(\"made\").create();
template(\"t\", #{ x: 1 }, #{ to: \"rendered\" });
";

#[test]
fn a_plan_that_became_untrue_is_refused_in_every_case() {
    let drifts: [(&str, &str, &[&str]); 20] = [
        ("the script", "echo 'info(\"more\");' >> test.rhai", &[]),
        ("a module", "sed -i s/word-1/word-2/ words.rhai", &[]),
        ("a value of the environment", "sed -i 's/^x = 1/x = 2/' runbook.toml", &[]),
        ("a new value of the environment", "echo 'y = 2' >> runbook.toml", &[]),
        ("a parameter", "true", &["--n", "2"]),
        ("a file that was read", "echo changed > in", &[]),
        ("a file that was looked for", "rm there", &[]),
        ("a folder that was listed", "touch list/two", &[]),
        ("what a look prints", "echo other > said", &[]),
        ("an environment variable", "echo", &["DRIFT=yes"]),
        (
            "the revision of a repository",
            "git -C repo -c user.name=a -c user.email=a@b commit -q --allow-empty -m 2",
            &[],
        ),
        ("a target that is there by now", "cp in out", &[]),
        ("a target that is there with another text", "echo z > out", &[]),
        ("a target's mode", "printf m > mode; chmod 600 mode", &[]),
        ("the source of a copy", "echo more >> copy; cp copy to", &[]),
        ("a file to remove that is gone", "rm gone", &[]),
        ("a folder to make that is there", "mkdir made", &[]),
        ("a template that renders what is there", "printf 'x = 1\\n' > rendered", &[]),
        ("a template's own text", "printf 'y = {{ x }}\\n' > t; printf 'y = 1\\n' > rendered", &[]),
        ("another runbook", "cp test.rhai other.rhai", &["other"]),
    ];
    for (what, command, how) in drifts {
        let project = Project::script(DRIFTING)
            .file("words.rhai", "fn word() { \"word-1\" }")
            .file("runbook.toml", "[project]\ndefault_env = \"one\"\n[env.one]\nx = 1\n")
            .file("in", "in")
            .file("there", "")
            .file("list/one", "")
            .file("said", "said")
            .file("copy", "c")
            .file("gone", "g")
            .file("t", "x = {{ x }}\n");
        shell(
            &project,
            "git init -q repo && git -C repo -c user.name=a -c user.email=a@b commit -q --allow-empty -m 1",
        );
        project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
        shell(&project, command);
        let mut words = vec!["run", "test.rhai", "--plan", "plan.json"];
        let mut project = project;
        match how {
            ["other"] => words[1] = "other.rhai",
            ["DRIFT=yes"] => project = project.env("DRIFT", "yes"),
            more => words.extend(more.iter().copied()),
        }
        let ran = project.runbook(&words);
        assert_eq!(ran.code, 2, "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains("the plan is stale"), "{what}: {}", ran.stderr);
        assert!(!project.path().join(".runbook/journal.sqlite").exists(), "{what}: nothing was run");
    }
}

fn shell(project: &Project, command: &str) {
    let status = std::process::Command::new("sh").args(["-c", command]).current_dir(project.path()).status().unwrap();
    assert!(status.success(), "{command}");
}
