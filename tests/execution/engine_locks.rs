//! One run at a time changes an application, whatever its project folder and its state.

use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runbook::drivers::docker::HeldLock;

use crate::harness::{Lab, Project, Ran};

/// Two projects that deploy the same application, each with a run log of its own.
struct Two {
    lab: Lab,
    name: String,
    ann: Project,
    bob: Project,
}

const COMPOSE: &str =
    "services:\n  api:\n    image: runbook-test/busybox:1\n    command: [sleep, '1000']\n    stop_grace_period: 1s\n";

/// Brings the application up, is at work until told to go on, and then changes it again.
const WORKS: &str = r#"
let app = compose("NAME");
step("bring up", || app.up(#{ wait: "0s" }));
step("migrate", || wait_until("go", || file("go").exists(), #{ every: "20ms", within: "60s" }));
step("restart", || app.restart("api", #{ wait: "0s" }));
info("finished");
"#;

/// The same with a person's word in the middle.
const ASKS: &str = r#"
let app = compose("NAME");
app.up(#{ wait: "0s" });
confirm("go on?");
app.restart("api", #{ wait: "0s" });
info("finished");
"#;

const DEPLOYS: &str = "let app = compose(\"NAME\");\napp.up(#{ wait: \"0s\" });\ninfo(\"deployed\");\n";

impl Two {
    fn new(script: &str) -> Option<Self> {
        let lab = Lab::start()?;
        let name = lab.name("shop");
        let project = |script: &str, user: &str| {
            let project = Project::script(&script.replace("NAME", &name)).file("compose.yaml", COMPOSE);
            project.env("RUNBOOK_USER", user)
        };
        let (ann, bob) = (project(script, "ann"), project(DEPLOYS, "bob"));
        Some(Self { lab, name, ann, bob })
    }

    fn lock(&self) -> Option<HeldLock> {
        self.lab.run(self.lab.engine.locks()).unwrap().into_iter().find(|lock| lock.name == self.name)
    }

    /// Starts Ann's run and waits until it is at this step, as others see it.
    fn start(&self, step: &str) -> Child {
        let mut command = self.ann.command(&["run", "test.rhai"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.until_at("ann", step);
        child
    }

    fn until_at(&self, who: &str, step: &str) {
        let began = Instant::now();
        while self.lock().is_none_or(|lock| lock.step != step || !lock.holder.owner.starts_with(who)) {
            assert!(began.elapsed() < Duration::from_secs(60), "{who} never was at `{step}`: {:?}", self.lock());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn go(&self) {
        std::fs::write(self.ann.path().join("go"), "").unwrap();
    }

    fn api(&self) -> String {
        self.lab.run(self.lab.engine.inspect(&format!("{}-api-1", self.name))).unwrap().started
    }
}

fn ended(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn the_one_who_comes_second_is_told_who_since_when_and_at_which_step() {
    let Some(two) = Two::new(WORKS) else { return };
    let holder = two.start("migrate");
    let lock = two.lock().unwrap();
    assert_eq!((lock.holder.run, lock.holder.project.as_str()), (1, &*two.ann.path().to_string_lossy()));
    let (before, since) =
        (two.api(), lock.since.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string());
    two.bob
        .run()
        .code(1)
        .says(&format!("`{}` is locked on its engine by run 1 of ann@", two.name))
        .says(&format!(" since {since}, now at step `migrate`"))
        .says("--wait 10m")
        .says("nothing changed")
        .never_says("deployed");
    assert_eq!(two.api(), before);

    let waiting = two.bob.command(&["run", "test.rhai", "--wait", "60s"]).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    two.go();
    ended(holder).success().says("finished");
    ended(waiting).success().says("waiting for `").says("held by run 1 of ann@").says("deployed");
    assert!(two.lock().is_none());
}

#[test]
fn nobody_remembers_what_somebody_else_is_in_the_middle_of_changing() {
    let Some(two) = Two::new(WORKS) else { return };
    let deploys = "let app = compose(\"NAME\");\nlet before = app.release();\nundo(\"put back\", || app.up(before));\n\
                   app.up(#{ wait: \"0s\" });\ninfo(`had ${before.services.len()}`);\n";
    two.bob.file_now("test.rhai", &deploys.replace("NAME", &two.name));
    let holder = two.start("migrate");
    let refused = two.bob.run().code(1);
    refused
        .says("is locked on its engine by run 1 of ann@")
        .says("nothing changed")
        .never_says("undo")
        .never_says("put back");
    let waiting = two.bob.command(&["run", "test.rhai", "--wait", "60s"]).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    two.go();
    ended(holder).success().says("finished");
    ended(waiting).success().says("waiting for `").says("had 1");
    assert!(two.lock().is_none());

    // One that died after it had remembered gives the lock back as well.
    let dies = "let app = compose(\"NAME\");\nstep(\"remember\", || app.release());\nwait_until(\"go\", || file(\"no\").exists(), #{ within: \"60s\" });\n";
    two.bob.file_now("test.rhai", &dies.replace("NAME", &two.name));
    let mut child = two.bob.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    two.until_at("bob", "remember");
    child.kill().unwrap();
    child.wait().unwrap();
    two.bob.runbook(&["cancel", "3"]).success();
    assert!(two.lock().is_none());
}

#[test]
fn whoever_has_nothing_to_do_takes_no_lock() {
    let Some(two) = Two::new(DEPLOYS) else { return };
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let ann = two.ann.env("DOCKER_HOST", &two.lab.overheard(Arc::clone(&asked)));
    let changes = || -> Vec<String> {
        std::mem::take(&mut *asked.lock().unwrap()).into_iter().filter(|line| !line.starts_with("GET ")).collect()
    };
    ann.run().success();
    let made = format!("=runbook-lock-{}", two.name);
    let is_lock = |line: &&String| line.starts_with("POST ") && line.contains(&made);
    assert_eq!(changes().iter().filter(is_lock).count(), 1);
    ann.run().success().says("deployed");
    assert_eq!(changes(), Vec::<String>::new());
    // Another run log has no record of what runs: to write one is a change, of which the others know nothing.
    two.bob.run().success();
    two.bob.run().success();
    ann.file_now("compose.yaml", &COMPOSE.replace("1000", "2000"));
    ann.run().success();
    assert_eq!(changes().iter().filter(is_lock).count(), 1);
    assert!(two.lab.run(two.lab.engine.locks()).unwrap().iter().all(|lock| lock.name != two.name));
}

#[test]
fn whoever_finds_the_holder_killed_takes_over_at_once() {
    let Some(two) = Two::new(WORKS) else { return };
    let mut holder = two.start("migrate");
    let fence = two.lock().unwrap().fence;
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(two.lock().is_some());
    // It goes on where the other one stands.
    std::fs::write(two.bob.path().join("test.rhai"), two.ann.read("test.rhai")).unwrap();
    let mut command = two.bob.command(&["run", "test.rhai"]);
    let second = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    two.until_at("bob", "migrate");
    assert!(two.lock().unwrap().fence > fence);

    // The dead one does not get in between either.
    let before = two.api();
    two.go();
    two.ann
        .runbook(&["resume"])
        .code(1)
        .says("run 1 stopped where it was")
        .says("is locked on its engine by run 1 of bob@");
    assert_eq!(two.api(), before);
    std::fs::write(two.bob.path().join("go"), "").unwrap();
    ended(second).success().says("finished");
    two.ann.runbook(&["resume"]).success().says("finished");
    assert!(two.lock().is_none());
}

#[test]
fn a_killed_run_that_goes_on_has_its_lock_again_and_gives_it_back() {
    let Some(two) = Two::new(WORKS) else { return };
    let mut holder = two.start("migrate");
    holder.kill().unwrap();
    holder.wait().unwrap();
    two.go();
    two.ann.runbook(&["resume"]).success().says("finished");
    assert!(two.lock().is_none());
}

#[test]
fn a_killed_run_that_is_cancelled_gives_its_lock_back() {
    let Some(two) = Two::new(WORKS) else { return };
    let mut holder = two.start("migrate");
    holder.kill().unwrap();
    holder.wait().unwrap();
    two.ann.runbook(&["cancel", "1"]).success();
    assert!(two.lock().is_none());
}

#[test]
fn while_a_run_waits_for_a_person_nobody_else_changes_its_application() {
    let Some(two) = Two::new(ASKS) else { return };
    two.ann.run().code(3);
    assert!(two.lock().unwrap().parked);
    let refused = two.bob.runbook(&["run", "test.rhai", "--wait", "2s"]).code(1);
    refused.says("by run 1 of ann@").says(", and waits for a person").says(&format!("rm runbook-lock-{}", two.name));
    two.ann.runbook(&["approve", "1"]).success().says("finished");
    assert!(two.lock().is_none());
    two.bob.run().success();
}

#[test]
fn a_run_that_a_person_rejects_gives_its_lock_back() {
    let Some(two) = Two::new(ASKS) else { return };
    two.ann.run().code(3);
    two.ann.runbook(&["reject", "1"]).code(1);
    assert!(two.lock().is_none());
}

#[test]
fn a_run_that_lost_its_lock_stops_before_its_next_change_and_can_go_on_later() {
    let Some(two) = Two::new(WORKS) else { return };
    let holder = two.start("migrate");
    two.lab.run(two.lab.engine.break_lock(&two.lock().unwrap())).unwrap();
    let before = two.api();
    two.go();
    ended(holder)
        .code(1)
        .says(&format!("run 1 stopped where it was: this run no longer holds the lock `{}`", two.name))
        .says("label!=runbook.lock")
        .never_says("finished");
    assert_eq!(two.api(), before);
    two.ann.runbook(&["resume"]).success().says("finished");
    assert_ne!(two.api(), before);
    assert!(two.lock().is_none());
}

#[test]
fn a_lock_lost_in_the_middle_of_a_change_ends_that_change() {
    let Some(two) = Two::new("let app = compose(\"NAME\");\napp.up(#{ wait: \"50s\" });\ninfo(\"finished\");\n") else {
        return;
    };
    let sick = COMPOSE.replace("stop_grace", "healthcheck: {test: 'false', interval: 60s, retries: 9}\n    stop_grace");
    std::fs::write(two.ann.path().join("compose.yaml"), sick).unwrap();
    let holder = two.start("");
    let began = Instant::now();
    two.lab.run(two.lab.engine.break_lock(&two.lock().unwrap())).unwrap();
    ended(holder).code(1).says("run 1 stopped where it was: this run no longer holds the lock").never_says("finished");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());

    two.ann.runbook(&["runs", "--json"]).success().prints("\"killed\"");
}

#[test]
fn branches_share_the_locks_of_their_run() {
    let script = r#"
        let one = compose("NAME");
        let other = compose("NAME-2");
        parallel([|| one.up(#{ wait: "0s" }), || one.stop(), || other.up(#{ wait: "0s" })]);
        info("finished");
    "#;
    let Some(two) = Two::new(script) else { return };
    two.ann.run().success().says("finished");
    assert!(two.lock().is_none());
    let left = two.lab.run(two.lab.engine.locks()).unwrap();
    assert!(left.iter().all(|lock| !lock.name.starts_with(&two.name)), "{left:?}");
}
