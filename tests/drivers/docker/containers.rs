use std::time::Duration;

use jiff::Timestamp;
use runbook::drivers::docker::{
    ContainerSpec, ContainerState, HealthCheck, HealthWait, LogRequest, Mount, NetworkAttachment, OutputStream,
    PortSpec, Restart, Verdict,
};
use runbook::primitive::FailureKind;

use crate::harness::Lab;

#[test]
fn what_ran_can_be_put_back_exactly() {
    let Some(lab) = Lab::start() else { return };
    let image = lab.image("app", "1", "VOLUME /anonymous\nEXPOSE 9000\nENTRYPOINT [\"/bin/sh\", \"-c\"]");
    let (front, back, data) = (lab.network("front"), lab.network("back"), lab.volume("data"));
    let attach = |name: &str, alias: &str| NetworkAttachment {
        name: name.to_owned(),
        aliases: vec![alias.to_owned()],
        ..NetworkAttachment::default()
    };
    let spec = ContainerSpec {
        image,
        command: Some(vec!["sleep 600".into()]),
        env: vec!["COLOUR=blue".into()],
        ports: vec![PortSpec { container: 80, host_ip: Some("127.0.0.1".into()), ..PortSpec::default() }],
        mounts: vec![Mount { source: data.clone(), target: "/data".into(), ..Mount::default() }],
        networks: vec![attach(&front, "web"), attach(&back, "api")],
        restart: Some(Restart { policy: "unless-stopped".into(), max_retries: None }),
        healthcheck: Some(HealthCheck {
            test: vec!["CMD-SHELL".into(), "true".into()],
            interval: Some(Duration::from_secs(30)),
            retries: Some(3),
            ..HealthCheck::default()
        }),
        init: Some(true),
        cap_drop: vec!["NET_RAW".into()],
        extra_hosts: vec!["db:10.0.0.9".into()],
        tmpfs: [("/run".to_owned(), "size=1m".to_owned())].into(),
        resources: runbook::drivers::docker::Resources { memory: Some(64 << 20), ..Default::default() },
        ..lab.spec("app", "")
    };
    let name = lab.up(&spec);
    lab.exec(&name, &["/bin/sh", "-c", "echo kept > /anonymous/x; echo kept > /data/x"]);

    let before = lab.run(lab.engine.inspect(&name)).unwrap();
    let recorded = serde_json::to_string(&ContainerSpec::from_inspect(&before).unwrap()).unwrap();
    let again: ContainerSpec = serde_json::from_str(&recorded).unwrap();
    assert_eq!(again.hostname, None, "the generated host name is not carried over");
    assert_eq!(again.image, before.image_id);
    lab.run(lab.engine.remove(&name, false)).unwrap();
    lab.up(&again);

    let after = lab.run(lab.engine.inspect(&name)).unwrap();
    assert_eq!(after.image_id, before.image_id);
    assert_eq!((&after.env, &after.labels), (&before.env, &before.labels));
    assert_eq!(after.networks[&front].aliases, ["web"]);
    assert_eq!(after.networks[&back].aliases, ["api"]);
    assert_eq!(after.mounts, before.mounts);
    for part in ["HostConfig", "Config"] {
        let (mut old, mut new) = (before.raw[part].clone(), after.raw[part].clone());
        for ours in ["Hostname", "Image"] {
            old[ours].take();
            new[ours].take();
        }
        // The anonymous volume is now asked for by its name.
        old.as_object_mut().unwrap().remove("Mounts");
        new.as_object_mut().unwrap().remove("Mounts");
        if old["Entrypoint"].is_array() {
            assert_eq!(old["Entrypoint"], new["Entrypoint"]);
        }
        assert_eq!(old, new, "{part}");
    }
    assert_eq!(lab.exec(&name, &["/bin/cat", "/anonymous/x", "/data/x"]), (0, "kept\nkept\n".into()));
}

#[test]
fn an_entry_point_taken_away_stays_away() {
    let Some(lab) = Lab::start() else { return };
    let image = lab.image("app", "1", "ENTRYPOINT [\"/bin/false\"]");
    let command = Some(vec!["/bin/sleep".to_owned(), "600".to_owned()]);
    let name = lab.up(&ContainerSpec { image, command, entrypoint: Some(Vec::new()), ..lab.spec("app", "") });
    let again = ContainerSpec::from_inspect(&lab.run(lab.engine.inspect(&name)).unwrap()).unwrap();
    lab.run(lab.engine.remove(&name, true)).unwrap();
    lab.up(&again);
    assert!(lab.run(lab.engine.inspect(&name)).unwrap().is_running());
}

#[test]
fn a_container_goes_through_its_life() {
    let Some(lab) = Lab::start() else { return };
    let engine = &lab.engine;
    let spec = lab.spec("life", "trap 'exit 3' TERM; echo ready; while true; do sleep 0.1; done");
    let id = lab.run(engine.create(&spec)).unwrap();
    assert_eq!(lab.run(engine.inspect(&id)).unwrap().state, ContainerState::Created);
    assert!(lab.run(engine.start(&id)).unwrap());
    assert!(!lab.run(engine.start(&id)).unwrap(), "it runs already");
    lab.wait_for_line(&id, "ready");
    assert!(lab.run(engine.stop(&id, Some(Duration::from_secs(10)))).unwrap());
    assert!(!lab.run(engine.stop(&id, None)).unwrap(), "it is stopped already");
    let stopped = lab.run(engine.inspect(&id)).unwrap();
    assert_eq!((stopped.state, stopped.exit_code), (ContainerState::Exited, Some(3)));
    assert_eq!(lab.run(engine.wait(&id)).unwrap(), 3);
    lab.run(engine.restart(&id, None)).unwrap();
    lab.run(engine.rename(&id, &lab.name("other"))).unwrap();
    lab.run(engine.kill(&id, "SIGKILL")).unwrap();
    assert_eq!(lab.run(engine.wait(&id)).unwrap(), 137);
    assert!(lab.run(engine.remove(&lab.name("other"), true)).unwrap());
    assert!(!lab.run(engine.remove(&lab.name("other"), true)).unwrap(), "it is gone already");
    assert_eq!(lab.run(engine.find(&id)).unwrap(), None);
}

#[test]
fn containers_are_found_by_label_in_every_state() {
    let Some(lab) = Lab::start() else { return };
    let running = lab.script("running", "sleep 600");
    lab.run(lab.engine.create(&lab.spec("created", "true"))).unwrap();
    let found = lab.run(lab.engine.containers(&[lab.label()])).unwrap();
    let states: Vec<_> = found.iter().map(|found| (found.name.clone(), found.state)).collect();
    assert_eq!(states, [(lab.name("created"), ContainerState::Created), (running, ContainerState::Running)]);
}

#[test]
fn looking_changes_nothing() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("quiet", "sleep 600");
    let since = Timestamp::now();
    lab.run(lab.engine.inspect(&name)).unwrap();
    lab.run(lab.engine.containers(&[lab.label()])).unwrap();
    assert_eq!(lab.run(lab.engine.events_since(since, &[lab.label()])).unwrap(), []);
    lab.run(lab.engine.rename(&name, &lab.name("renamed"))).unwrap();
    let actions: Vec<String> =
        lab.run(lab.engine.events_since(since, &[lab.label()])).unwrap().into_iter().map(|e| e.action).collect();
    assert_eq!(actions, ["rename"]);
}

#[test]
fn the_log_keeps_its_two_streams_apart() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("log", "echo one; echo two >&2; sleep 0.2; echo three; printf four");
    lab.run(lab.engine.wait(&name)).unwrap();
    let all = lab.run(lab.engine.logs(&name, &LogRequest::default())).unwrap();
    let (out, err) = (OutputStream::Stdout, OutputStream::Stderr);
    let expected = [(out, "one"), (err, "two"), (out, "three"), (out, "four")];
    let mut seen: Vec<_> = all.iter().map(|(stream, line)| (*stream, line.as_str())).collect();
    if seen[0].0 == err {
        seen.swap(0, 1); // Two writes at the same moment may be recorded in either order.
    }
    assert_eq!(seen, expected);
    assert_eq!(lab.run(async { Ok(lab.engine.last_lines(&name, 2).await) }).unwrap(), "three\nfour");
}

#[test]
fn a_healthy_container_is_seen_before_the_engine_looks() {
    let Some(lab) = Lab::start() else { return };
    let check = HealthCheck {
        test: vec!["CMD-SHELL".into(), "test -f /tmp/ready".into()],
        interval: Some(Duration::from_secs(600)),
        ..HealthCheck::default()
    };
    let script = "sleep 0.3; touch /tmp/ready; sleep 600";
    let name = lab.up(&ContainerSpec { healthcheck: Some(check), ..lab.spec("web", script) });
    let verdict = lab.run(lab.engine.wait_healthy(&name, &HealthWait::default())).unwrap();
    assert_eq!(verdict, Verdict::Check);
}

#[test]
fn a_container_without_a_check_must_stay_up() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("plain", "sleep 600");
    assert_eq!(lab.run(lab.engine.wait_healthy(&name, &HealthWait::default())).unwrap(), Verdict::Running);
}

#[test]
fn a_container_that_exits_at_once_shows_its_last_words() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("broken", "echo no database >&2; exit 7");
    let failure = lab.run(lab.engine.wait_healthy(&name, &HealthWait::default())).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    assert_eq!(failure.message, format!("container `{name}` exited with code 7"));
    let last = failure.evidence.last().unwrap();
    assert_eq!((last.title.as_str(), last.text.as_str()), (&*format!("last lines of {name}"), "no database"));
}

#[test]
fn a_container_that_keeps_restarting_is_not_waited_for() {
    let Some(lab) = Lab::start() else { return };
    let restart = Some(Restart { policy: "always".into(), max_retries: None });
    let name = lab.up(&ContainerSpec { restart, ..lab.spec("loop", "exit 4") });
    let failure = lab.run(lab.engine.wait_healthy(&name, &HealthWait::default())).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    assert!(failure.message.contains("keeps exiting and being restarted"), "{failure}");
}

#[test]
fn an_unhealthy_container_shows_its_health_log_and_where_it_listens() {
    let Some(lab) = Lab::start() else { return };
    let check = HealthCheck {
        test: vec!["CMD-SHELL".into(), "echo database: down; exit 1".into()],
        interval: Some(Duration::from_millis(200)),
        retries: Some(2),
        ..HealthCheck::default()
    };
    let script = "echo started; while true; do nc -l -p 8080; done";
    let name = lab.up(&ContainerSpec { healthcheck: Some(check), ..lab.spec("sick", script) });
    let failure = lab.run(lab.engine.wait_healthy(&name, &HealthWait::default())).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check);
    let evidence = |title: &str| {
        let title = format!("{title} {name}");
        failure.evidence.iter().find(|item| item.title == title).map(|item| item.text.clone()).unwrap_or_default()
    };
    assert!(evidence("state of").contains(":8080"), "{failure:?}");
    assert!(evidence("health log of").contains("exit code 1: database: down"), "{failure:?}");
    assert_eq!(evidence("last lines of"), "started");
}

#[test]
fn a_check_that_never_answers_ends_with_the_wait() {
    let Some(lab) = Lab::start() else { return };
    let check = HealthCheck {
        test: vec!["CMD".into(), "sleep".into(), "600".into()],
        interval: Some(Duration::from_secs(600)),
        ..HealthCheck::default()
    };
    let name = lab.up(&ContainerSpec { healthcheck: Some(check), ..lab.spec("mute", "sleep 500") });
    let wait = HealthWait { limit: Duration::from_secs(2), ..HealthWait::default() };
    let failure = lab.run(lab.engine.wait_healthy(&name, &wait)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(failure.message, format!("container `{name}` was not healthy within 2s"));
    assert!(!lab.exec(&name, &["ps", "-o", "args"]).1.contains("sleep 600"), "the probe was left running");
}

#[test]
fn a_container_out_of_memory_says_so() {
    let Some(lab) = Lab::start() else { return };
    let resources =
        runbook::drivers::docker::Resources { memory: Some(8 << 20), memory_swap: Some(8 << 20), ..Default::default() };
    let name = lab.up(&ContainerSpec { resources, ..lab.spec("hungry", "exec tail /dev/zero") });
    lab.run(lab.engine.wait(&name)).unwrap();
    let failure = lab.run(lab.engine.wait_healthy(&name, &HealthWait::default())).unwrap_err();
    assert_eq!(failure.message, format!("container `{name}` exited with code 137: it ran out of memory"));
}

#[test]
fn a_port_that_is_taken_names_who_holds_it() {
    let Some(lab) = Lab::start() else { return };
    let port = |port: Option<u16>| {
        let host_port = port.map(|port| port.to_string());
        vec![PortSpec { container: 80, host_ip: Some("127.0.0.1".into()), host_port, ..PortSpec::default() }]
    };
    let holder = lab.up(&ContainerSpec { ports: port(None), ..lab.spec("holder", "sleep 600") });
    let held = lab.run(lab.engine.inspect(&holder)).unwrap().ports[0].host_port;
    let spec = ContainerSpec { ports: port(Some(held)), ..lab.spec("late", "sleep 600") };
    let id = lab.run(lab.engine.create(&spec)).unwrap();
    let failure = lab.run(lab.engine.start(&id)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert!(failure.hints[0].starts_with(&format!("port {held} is held by container `{holder}`")), "{failure:?}");
}

#[test]
fn a_name_that_is_taken_is_a_conflict() {
    let Some(lab) = Lab::start() else { return };
    let spec = lab.spec("twice", "true");
    lab.run(lab.engine.create(&spec)).unwrap();
    assert_eq!(lab.run(lab.engine.create(&spec)).unwrap_err().kind, FailureKind::Conflict);
}

#[test]
fn a_network_that_does_not_exist_leaves_no_container_behind() {
    let Some(lab) = Lab::start() else { return };
    let first = NetworkAttachment { name: lab.network("there"), ..NetworkAttachment::default() };
    let second = NetworkAttachment { name: lab.name("missing"), ..NetworkAttachment::default() };
    let spec = ContainerSpec { networks: vec![first, second], ..lab.spec("half", "true") };
    assert_eq!(lab.run(lab.engine.create(&spec)).unwrap_err().kind, FailureKind::NotFound);
    assert_eq!(lab.run(lab.engine.find(&spec.name)).unwrap(), None);
}

#[test]
fn where_a_container_of_another_machine_listens_is_asked_inside() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.script("listens", "nc -l -p 8081 & echo ready; wait");
    lab.wait_for_line(&name, "ready");
    let far = runbook::drivers::docker::Engine::at(&lab.afar()).unwrap();
    let found = lab.run(far.inspect(&name)).unwrap();
    lab.run(async {
        while far.listening(&found).await != ["[::]:8081"] {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    })
    .unwrap();
}
