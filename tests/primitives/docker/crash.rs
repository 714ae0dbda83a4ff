//! Calls whose process died: what is found out about them, and that nothing is done twice.

use std::process::Stdio;
use std::time::{Duration, Instant};

use runbook::drivers::docker::ContainerSpec;
use runbook::primitive::{Failure, FailureKind, Outcome, Probe, handle};
use serde_json::{Value, json};

use super::Bench;
use crate::harness::Project;

impl Bench {
    fn docker() -> Value {
        handle("docker", json!({}))
    }

    fn die_after(&self, method: &str, args: Value, options: Value) -> Result<Outcome, Failure> {
        self.direct.method(&format!("docker.{method}"), Self::docker(), args, options)
    }

    fn recover(&self, method: &str, args: Value, options: Value) -> Probe {
        self.direct.recover(&format!("docker.{method}"), Self::docker(), args, options).unwrap()
    }

    fn resume(&self, method: &str, args: Value, options: Value) -> Result<Outcome, Failure> {
        self.direct.resume(&format!("docker.{method}"), Self::docker(), args, options)
    }

    /// How often a script that appends to `/data/n` of the volume ran.
    fn times(&self, volume: &str) -> usize {
        let image = self.lab.image("times", "1", "");
        let options = json!({ "volumes": [format!("{volume}:/data")] });
        let text = self.call("run", json!([image, ["cat", "/data/n"]]), options).unwrap().value["stdout"].clone();
        text.as_str().unwrap().lines().count()
    }

    /// Everything this lab's runs left.
    fn containers_of(&self, image: &str) -> Vec<String> {
        let found = self.lab.run(self.lab.engine.containers(&[self.lab.label()])).unwrap();
        found.into_iter().filter(|found| found.image == image).map(|found| found.name).collect()
    }
}

const ONCE: &str = "echo x >> /data/n; echo begun; sleep 1; echo trouble >&2; echo done; exit ";

#[test]
fn a_one_off_container_is_not_run_again_when_its_end_was_not_recorded() {
    let Some(bench) = Bench::start() else { return };
    let (image, volume) = (bench.lab.image("job", "1", ""), bench.lab.volume("data"));
    let args = json!([image, ["/bin/sh", "-c", format!("{ONCE} 0")]]);
    let options = json!({ "volumes": [format!("{volume}:/data")] });
    let first = bench.die_after("run", args.clone(), options.clone()).unwrap();
    let second = bench.resume("run", args, options).unwrap();
    assert_eq!((&first.value, &first.changes), (&second.value, &second.changes));
    assert_eq!(second.value["stdout"], "begun\ndone");
    assert_eq!((bench.times(&volume), bench.containers_of(&image)), (1, vec![]));
}

#[test]
fn a_one_off_container_that_failed_fails_again_without_being_run() {
    let Some(bench) = Bench::start() else { return };
    let (image, volume) = (bench.lab.image("job", "1", ""), bench.lab.volume("data"));
    let args = json!([image, ["/bin/sh", "-c", format!("{ONCE} 5")]]);
    let options = json!({ "volumes": [format!("{volume}:/data")] });
    let first = bench.die_after("run", args.clone(), options.clone()).unwrap_err();
    let second = bench.resume("run", args, options).unwrap_err();
    assert_eq!(first.message, second.message);
    assert_eq!((second.kind, second.evidence[0].text.as_str()), (FailureKind::Exit, "trouble"));
    assert_eq!((bench.times(&volume), bench.containers_of(&image)), (1, vec![]));
}

#[test]
fn a_one_off_container_that_still_runs_is_waited_for_and_its_output_is_whole() {
    let Some(bench) = Bench::start() else { return };
    let (image, volume) = (bench.lab.image("job", "1", ""), bench.lab.volume("data"));
    let args = json!([image, ["/bin/sh", "-c", format!("{ONCE} 0")]]);
    let options = json!({ "volumes": [format!("{volume}:/data")] });
    std::thread::scope(|scope| {
        scope.spawn(|| bench.die_after("run", args.clone(), options.clone()));
        while !bench.direct.lines().contains(&"stdout: begun".to_owned()) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let outcome = bench.resume("run", args.clone(), options.clone()).unwrap();
        assert_eq!((&outcome.value["stdout"], &outcome.value["stderr"]), (&json!("begun\ndone"), &json!("trouble")));
    });
    assert_eq!((bench.times(&volume), bench.containers_of(&image)), (1, vec![]));
}

#[test]
fn a_one_off_container_that_was_made_and_not_started_makes_way() {
    let Some(bench) = Bench::start() else { return };
    let (image, volume) = (bench.lab.image("job", "1", ""), bench.lab.volume("data"));
    let args = json!([image, ["/bin/sh", "-c", format!("{ONCE} 0")]]);
    let name = bench.lab.name("once");
    let options = json!({ "volumes": [format!("{volume}:/data")], "name": name });
    bench.direct.anew();
    assert!(matches!(bench.recover("run", args.clone(), options.clone()), Probe::NotDone));
    let mut labels = bench.lab.labels();
    labels.insert("dev.runbook.key".into(), bench.direct.key());
    let spec = ContainerSpec { image: image.clone(), labels, ..bench.lab.spec("once", "true") };
    bench.lab.run(bench.lab.engine.create(&spec)).unwrap();
    let outcome = bench.resume("run", args, options).unwrap();
    assert_eq!(outcome.value["stdout"], "begun\ndone");
    assert_eq!((bench.times(&volume), bench.containers_of(&image)), (1, vec![]));
}

#[test]
fn a_container_left_running_is_not_made_again() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("web", "1", "");
    let args = json!([image, ["sleep", "600"]]);
    let first = bench.die_after("run", args.clone(), json!({ "detach": true })).unwrap();
    let second = bench.resume("run", args, json!({ "detach": true })).unwrap();
    assert_eq!((&first.value, &first.changes), (&second.value, &second.changes));
    assert_eq!(bench.containers_of(&image).len(), 1);
}

#[test]
fn a_container_whose_time_was_over_is_known_as_late() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("late", "1", "");
    let args = json!([image, ["/bin/sh", "-c", "echo begun; sleep 600"]]);
    let options = json!({ "timeout": "4s" });
    let first = bench.die_after("run", args.clone(), options.clone()).unwrap_err();
    let second = bench.resume("run", args, options).unwrap_err();
    assert_eq!((&first.message, first.kind), (&second.message, FailureKind::Timeout));
    assert_eq!(bench.containers_of(&image), Vec::<String>::new());
}

#[test]
fn a_command_is_not_run_again_when_its_end_was_not_recorded() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "mkdir /data; exec sleep 600");
    let args = json!([name, ["/bin/sh", "-c", format!("cat; {ONCE} 3")]]);
    let options = json!({ "check": false, "stdin": "typed\n" });
    let first = bench.die_after("exec", args.clone(), options.clone()).unwrap();
    let second = bench.resume("exec", args.clone(), options.clone()).unwrap();
    let expected =
        json!({ "code": 3, "ok": false, "truncated": false, "stdout": "typed\nbegun\ndone", "stderr": "trouble" });
    assert_eq!((&first.value, &second.value), (&expected, &expected));
    let failing = bench.die_after("exec", args.clone(), json!({})).unwrap_err();
    assert_eq!(bench.resume("exec", args, json!({})).unwrap_err().message, failing.message);
    assert_eq!(bench.lab.exec(&name, &["cat", "/data/n"]).1, "x\nx\n");
    assert_eq!(bench.lab.exec(&name, &["ls", "-A", "/tmp"]).1, "");
}

#[test]
fn a_command_that_still_runs_is_waited_for_and_its_output_is_whole() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "mkdir /data; exec sleep 600");
    let args = json!([name, ["/bin/sh", "-c", format!("{ONCE} 0")]]);
    std::thread::scope(|scope| {
        scope.spawn(|| bench.die_after("exec", args.clone(), json!({})));
        while !bench.direct.lines().contains(&"stdout: begun".to_owned()) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let Probe::Done(outcome) = bench.recover("exec", args.clone(), json!({})) else { panic!("not done") };
        assert_eq!((&outcome.value["stdout"], &outcome.value["stderr"]), (&json!("begun\ndone"), &json!("trouble")));
    });
    assert_eq!(bench.lab.exec(&name, &["cat", "/data/n"]).1, "x\n");
}

#[test]
fn a_command_that_may_be_repeated_is_not_while_it_still_runs_or_its_end_is_known() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "mkdir /data; exec sleep 600");
    let args = json!([name, ["/bin/sh", "-c", format!("{ONCE} 0")]]);
    let options = json!({ "idempotent": true });
    std::thread::scope(|scope| {
        scope.spawn(|| bench.die_after("exec", args.clone(), options.clone()));
        while !bench.direct.lines().contains(&"stdout: begun".to_owned()) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let Probe::Done(outcome) = bench.recover("exec", args.clone(), options.clone()) else { panic!("not done") };
        assert_eq!(outcome.value["stdout"], "begun\ndone");
    });
    bench.direct.anew();
    bench.die_after("exec", args.clone(), options.clone()).unwrap();
    assert_eq!(bench.resume("exec", args, options).unwrap().value["stdout"], "begun\ndone");
    assert_eq!(bench.lab.exec(&name, &["cat", "/data/n"]).1, "x\nx\n");
}

#[test]
fn a_command_that_was_noted_and_not_started_is_run() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "mkdir /data; exec sleep 600");
    let args = json!([name, ["/bin/sh", "-c", format!("{ONCE} 0")]]);
    bench.die_after("exec", json!([name, ["true"]]), json!({})).unwrap();
    let marker = bench.direct.marker().unwrap();
    bench.direct.anew();
    assert!(matches!(bench.recover("exec", args.clone(), json!({})), Probe::NotDone));
    bench.direct.set_marker(marker);
    assert_eq!(bench.resume("exec", args, json!({})).unwrap().value["stdout"], "begun\ndone");
}

#[test]
fn a_command_killed_with_its_container_has_failed() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "[ -d /data ] || mkdir /data; sleep 600");
    let args = json!([name, ["/bin/sh", "-c", "echo x >> /data/n; echo begun; sleep 600"]]);
    std::thread::scope(|scope| {
        scope.spawn(|| bench.die_after("exec", args.clone(), json!({})));
        while !bench.direct.lines().contains(&"stdout: begun".to_owned()) {
            std::thread::sleep(Duration::from_millis(10));
        }
        bench.lab.run(bench.lab.engine.restart(&name, Some(Duration::ZERO))).unwrap();
    });
    let failure = bench.resume("exec", args, json!({})).unwrap_err();
    assert!(failure.message.ends_with(&format!("in container `{name}` was killed before its end")), "{failure}");
    assert_eq!(failure.evidence[0].text, "begun");
    assert_eq!(bench.lab.exec(&name, &["cat", "/data/n"]).1, "x\n");
}

#[test]
fn without_a_shell_only_the_exit_code_is_known() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("bare", "1", "RUN [\"/bin/busybox\", \"rm\", \"/bin/sh\", \"/bin/ash\"]");
    let spec = ContainerSpec { image, command: Some(vec!["sleep".into(), "600".into()]), ..bench.lab.spec("bare", "") };
    let name = bench.lab.up(&spec);
    let well = json!([name, ["echo", "hello"]]);
    assert_eq!(bench.die_after("exec", well.clone(), json!({})).unwrap().value["stdout"], "hello");
    assert!(matches!(bench.recover("exec", well.clone(), json!({})), Probe::Unknown));
    assert_eq!(bench.resume("exec", well.clone(), json!({})).unwrap_err().kind, FailureKind::Halted);
    let again = bench.resume("exec", well, json!({ "idempotent": true })).unwrap();
    assert_eq!(again.value["stdout"], "hello");
    let badly = json!([name, ["false"]]);
    bench.die_after("exec", badly.clone(), json!({})).unwrap_err();
    let failure = bench.resume("exec", badly, json!({})).unwrap_err();
    assert_eq!(failure.message, format!("`false` in container `{name}` exited with code 1"));
}

/// Nothing is left of it, nor of what it printed: a script that reads that finds it empty.
#[test]
fn a_command_that_is_said_to_have_happened_has_the_form_of_one_that_was_silent() {
    let Some(bench) = Bench::start() else { return };
    for (number, probe) in ["", ", #{ probe: || true }"].into_iter().enumerate() {
        let name = bench.lab.script(&format!("app{number}"), "exec sleep 600");
        let project = Project::script(&format!(
            r#"let ran = docker().exec("{name}", ["sh", "-c", "touch /ready; sleep 600"]{probe});
            info(`went on ${{ran.code}} <${{ran.stdout}}>`);"#
        ));
        let mut child = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while bench.lab.exec(&name, &["test", "-e", "/ready"]).0 != 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "it never began");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        bench.lab.run(bench.lab.engine.remove(&name, true)).unwrap();
        let resumed = project.runbook(&["resume"]);
        let resumed = if probe.is_empty() {
            resumed.code(3).says("  it happened  runbook resolve 1 1 --done\n");
            project.runbook(&["resolve", "1", "1", "--done"])
        } else {
            resumed
        };
        resumed.success().says("went on 0 <>");
    }
}

#[test]
fn a_variable_that_no_shell_knows_reaches_the_command() {
    let Some(bench) = Bench::start() else { return };
    let spec = ContainerSpec { env: vec!["app.colour=blue".into()], ..bench.lab.spec("dotted", "exec sleep 600") };
    let name = bench.lab.up(&spec);
    let outcome = bench.call("exec", json!([name, ["env"]]), json!({})).unwrap();
    assert!(
        outcome.value["stdout"].as_str().unwrap().lines().any(|line| line == "app.colour=blue"),
        "{}",
        outcome.value
    );
}

#[test]
fn what_a_command_leaves_running_does_not_keep_it_from_ending() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "exec sleep 600");
    let begun = std::time::Instant::now();
    let outcome = bench.call("exec", json!([name, ["/bin/sh", "-c", "sleep 60 & echo hi"]]), json!({})).unwrap();
    assert_eq!(outcome.value["stdout"], "hi");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
