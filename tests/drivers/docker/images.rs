use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use runbook::drivers::docker::{BuildRequest, BuildStep, Login, Reference};
use runbook::primitive::FailureKind;

use crate::harness::{Lab, Registry};

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

#[test]
fn an_image_travels_through_a_registry_and_comes_back_by_digest() {
    let (Some(lab), Some(registry)) = (Lab::start(), Registry::start()) else { return };
    let app = reference(&registry.reference("shop/app:1"));
    let folder = tempfile::tempdir().unwrap();
    lab.image_from(folder.path(), &app.to_string(), "RUN echo 1 > /version");
    let digest = lab.run(lab.engine.push(&app, Some(&registry.login), &mut |_| {})).unwrap();
    let built = lab.run(lab.engine.image(&app.to_string())).unwrap().unwrap();
    assert_eq!(built.digest_in(&app), Some(digest.as_str()));
    assert!(lab.run(lab.engine.remove_image(&built.id, true)).unwrap());

    let mut doing = Vec::new();
    let by_digest = app.with_digest(&digest);
    let mut keep = |progress: runbook::drivers::docker::Transfer| doing.push(progress.doing);
    let pulled = lab.run(lab.engine.pull(&by_digest, None, Some(&registry.login), &mut keep)).unwrap();
    assert_eq!((pulled.id.as_str(), pulled.tags.as_slice()), (built.id.as_str(), [].as_slice()));
    assert!(doing.iter().any(|words| words.starts_with("Status: ")), "{doing:?}");
    assert!(lab.run(lab.engine.tag(&pulled.id, &app.with_tag("previous"))).unwrap());
    assert!(!lab.run(lab.engine.tag(&pulled.id, &app.with_tag("previous"))).unwrap(), "the tag is there already");
}

#[test]
fn a_pull_fetches_the_one_tag_asked_for() {
    let (Some(lab), Some(registry)) = (Lab::start(), Registry::start()) else { return };
    let folder = tempfile::tempdir().unwrap();
    for version in ["1", "2", "latest"] {
        let name = registry.reference(&format!("app:{version}"));
        lab.image_from(folder.path(), &name, &format!("RUN echo {version} > /version"));
        lab.run(lab.engine.push(&reference(&name), Some(&registry.login), &mut |_| {})).unwrap();
        lab.run(lab.engine.remove_image(&name, true)).unwrap();
    }
    lab.run(lab.engine.pull(&reference(&registry.reference("app")), None, Some(&registry.login), &mut |_| {})).unwrap();
    let images = lab.run(lab.engine.images()).unwrap();
    let tags: Vec<_> =
        images.iter().flat_map(|image| &image.tags).filter(|tag| tag.starts_with(&registry.address)).collect();
    assert_eq!(tags, [&registry.reference("app:latest")]);
}

#[test]
fn a_registrys_refusals_are_told_apart() {
    let (Some(lab), Some(mut registry)) = (Lab::start(), Registry::start()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let app = reference(&registry.reference("app:1"));
    lab.image_from(folder.path(), &app.to_string(), "");
    lab.run(lab.engine.push(&app, Some(&registry.login), &mut |_| {})).unwrap();
    let pull = |reference: &Reference, login: Option<&Login>| {
        lab.run(lab.engine.pull(reference, None, login, &mut |_| {})).unwrap_err()
    };
    let wrong = Login { password: "wrong".into(), ..registry.login.clone() };
    let refused = pull(&app, Some(&wrong));
    assert_eq!(refused.kind, FailureKind::Unauthorized, "{refused:?}");
    assert!(refused.hints[0].contains("refused this user name and password"), "{refused:?}");
    let anonymous = pull(&app, None);
    assert_eq!(anonymous.kind, FailureKind::Unauthorized, "{anonymous:?}");
    assert!(anonymous.hints[0].contains("wants a login"), "{anonymous:?}");
    let refused = lab.run(lab.engine.push(&app, Some(&wrong), &mut |_| {})).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Unauthorized, "{refused:?}");

    let missing = pull(&app.with_tag("9"), Some(&registry.login));
    assert_eq!(missing.kind, FailureKind::NotFound, "{missing:?}");
    let missing = pull(&reference(&registry.reference("nothing:1")), Some(&registry.login));
    assert_eq!(missing.kind, FailureKind::NotFound, "{missing:?}");

    registry.stop();
    let down = pull(&app, Some(&registry.login));
    assert_eq!(down.kind, FailureKind::Unreachable, "{down:?}");
    assert!(down.hints[0].contains(&registry.address), "{down:?}");
}

#[test]
fn a_pull_that_is_dropped_ends_at_once() {
    let Some(lab) = Lab::start() else { return };
    // Accepts and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = reference(&format!("{}/app:1", listener.local_addr().unwrap()));
    let begun = Instant::now();
    let dropped = lab.run(async {
        let mut ignore = |_| {};
        let work = lab.engine.pull(&silent, None, None, &mut ignore);
        Ok(tokio::time::timeout(Duration::from_millis(300), work).await.is_err())
    });
    assert!(dropped.unwrap());
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_build_leaves_out_what_dockerignore_says() {
    let Some(lab) = Lab::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("kept.txt", "kept");
    write(".env", "PASSWORD=x");
    write("logs/a.log", "noise");
    write("logs/keep/a.txt", "kept");
    std::os::unix::fs::symlink("kept.txt", folder.path().join("link.txt")).unwrap();
    write(".dockerignore", ".env\nlogs\n!logs/keep\nDockerfile\n.dockerignore\n");
    let name = lab.image_from(folder.path(), &format!("runbook-test/{}:1", lab.name("ignore")), "COPY . /src");
    let spec = runbook::drivers::docker::ContainerSpec { image: name, ..lab.spec("ls", "sleep 600") };
    let listed = lab.exec(&lab.up(&spec), &["find", "/src", "!", "-type", "d"]).1;
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, ["/src/kept.txt", "/src/link.txt", "/src/logs/keep/a.txt"]);
}

#[test]
fn a_build_takes_arguments_and_stops_at_its_target() {
    let Some(lab) = Lab::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let from = lab.from().replacen('\n', " AS first\n", 1);
    let dockerfile = format!("{from}\nARG COLOUR=red\nRUN echo $COLOUR > /colour\nFROM first AS second\nRUN exit 1\n");
    std::fs::write(folder.path().join("app.Dockerfile"), dockerfile).unwrap();
    let tag = |version: &str| reference(&format!("runbook-test/{}:{version}", lab.name("target")));
    let request = BuildRequest {
        folder: folder.path().to_owned(),
        dockerfile: "./app.Dockerfile".into(),
        tags: vec![tag("1"), tag("2")],
        args: BTreeMap::from([("COLOUR".into(), "blue".into())]),
        target: Some("first".into()),
        ..BuildRequest::default()
    };
    let mut instructions = Vec::new();
    let mut keep = |step| {
        if let BuildStep::Instruction(_, _, text) = step {
            instructions.push(text);
        }
    };
    let image = lab.run(lab.engine.build(&request, &mut keep)).unwrap();
    let mut tags = image.tags.clone();
    tags.sort();
    assert_eq!(tags, [tag("1").to_string(), tag("2").to_string()]);
    assert!(instructions.iter().any(|text| text == "RUN echo $COLOUR > /colour"), "{instructions:?}");
    let spec = runbook::drivers::docker::ContainerSpec { image: image.id, ..lab.spec("colour", "sleep 600") };
    assert_eq!(lab.exec(&lab.up(&spec), &["cat", "/colour"]).1, "blue\n");
}

#[test]
fn a_failing_build_names_the_line_and_what_it_printed() {
    let Some(lab) = Lab::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let build = |dockerfile: &str| {
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        let request = BuildRequest { folder: folder.path().to_owned(), ..BuildRequest::default() };
        lab.run(lab.engine.build(&request, &mut |_| {})).unwrap_err()
    };
    let failure = build("FROM runbook-test/busybox:1\n\n# compile\nRUN echo no compiler && \\\n    exit 9\n");
    assert_eq!(failure.kind, FailureKind::Exit);
    assert_eq!(
        failure.message,
        "the build failed at Dockerfile:4: `RUN echo no compiler &&     exit 9` exited with code 9"
    );
    assert!(failure.evidence[1].text.ends_with("no compiler"), "{failure:?}");

    let failure = build("FROM runbook-test/busybox:1\nCOPY missing.txt /\n");
    assert!(failure.message.starts_with("the build failed at Dockerfile:2: `COPY missing.txt /`: "), "{failure:?}");
    let failure = build("FROM runbook-test/busybox:1\nFROBNICATE\n");
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure:?}");
    let failure = {
        std::fs::remove_file(folder.path().join("Dockerfile")).unwrap();
        let request = BuildRequest { folder: folder.path().to_owned(), ..BuildRequest::default() };
        lab.run(lab.engine.build(&request, &mut |_| {})).unwrap_err()
    };
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[test]
fn pruning_keeps_the_newest_and_what_runs() {
    let Some(lab) = Lab::start() else { return };
    let name = |version: u32| format!("runbook-test/{}:{version}", lab.name("app"));
    for version in 1..=4 {
        lab.image("app", &version.to_string(), &format!("RUN echo {version} > /version"));
    }
    lab.up(&runbook::drivers::docker::ContainerSpec { image: name(1), ..lab.spec("old", "sleep 600") });
    let budget = runbook::drivers::docker::Budget {
        keep: 1,
        repository: Some(reference(&name(1)).name()),
        protect: vec![name(3)],
        ..Default::default()
    };
    let pruned = lab.run(lab.engine.images_beyond(&budget)).unwrap();
    for name in &pruned.removed {
        lab.run(lab.engine.remove_image(name, false)).unwrap();
    }
    assert_eq!(pruned.removed, [name(2)]);
    for version in [1, 3, 4] {
        assert!(lab.run(lab.engine.image(&name(version))).unwrap().is_some(), "{version}");
    }
}
