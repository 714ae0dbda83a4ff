use runbook::journal::{FireResult, FireState, RunState};
use rustix::process::Signal;

use super::{Service, fires, journal, lines, project, wait_until};

#[test]
fn a_schedule_runs_when_it_is_due_and_has_a_row_for_each_fire() {
    let project = project("[schedule.often]\nrunbook = \"note.rhai\"\nevery = \"1s\"\noverlap = \"queue\"\n");
    let mut service = Service::start(&project);
    wait_until("three runs", || lines(&project) >= 3);
    service.signal(Signal::TERM);
    assert_eq!(service.wait(), 0);
    let fires = fires(&project);
    let ran = fires.iter().filter(|fire| fire.result == Some(FireResult::Ok)).count();
    assert!(ran >= 3, "{fires:?}");
    let mut times: Vec<i64> = fires.iter().map(|fire| fire.at).collect();
    times.sort_unstable();
    times.windows(2).for_each(|pair| assert_eq!(pair[1], pair[0] + 1, "every second has its row, and one"));
    project.runbook(&["schedule", "history"]).success().prints("often").prints("ok");
    project.runbook(&["state", "verify"]).success();
}

#[test]
fn a_second_service_of_the_same_folder_is_refused() {
    let project = project("[schedule.rare]\nrunbook = \"note.rhai\"\ncron = \"0 0 1 1 *\"\n");
    let service = Service::start(&project);
    let pid = service.pid().to_string();
    wait_until("the lock is taken", || {
        std::fs::read_to_string(project.path().join(".runbook/service.lock")).is_ok_and(|text| text == pid)
    });
    project.runbook(&["serve", "--once"]).code(2).says(&format!("process {pid} is the service of"));
}

#[test]
fn sigterm_lets_a_run_end_and_begins_no_other() {
    let project = project(
        "[schedule.slow]\nrunbook = \"note.rhai\"\nevery = \"1s\"\noverlap = \"skip\"\nparameters = { seconds = \"3s\" }\n",
    );
    let mut service = Service::start(&project);
    let is_running = || fires(&project).iter().any(|fire| fire.run_state == Some(RunState::Running));
    wait_until("a run goes on", is_running);
    service.signal(Signal::TERM);
    assert_eq!(service.wait(), 0);
    assert_eq!(lines(&project), 1);
    let fires = fires(&project);
    assert_eq!(fires.iter().filter(|fire| fire.result == Some(FireResult::Ok)).count(), 1, "{fires:?}");
    assert!(!fires.iter().any(|fire| fire.state == FireState::Running), "{fires:?}");
}

#[test]
fn a_run_that_goes_on_for_longer_than_drain_is_stopped_in_good_order() {
    let project = project("[schedule.slow]\nrunbook = \"slow.rhai\"\nevery = \"1s\"\n").file(
        "slow.rhai",
        "undo(\"note it\", || { sh([\"sh\", \"-c\", \"echo undone >> log\"]); });\n\
         sh([\"sh\", \"-c\", \"echo began >> log\"]);\nsleep(\"1h\");\n",
    );
    let mut service = Service::start_with(&project, &["--drain", "2s"]);
    wait_until("a run goes on", || lines(&project) == 1);
    let told = std::time::Instant::now();
    service.signal(Signal::TERM);
    assert_eq!(service.wait(), 0);
    // The service looks at its clocks each half minute: it does not wait for that.
    assert!(told.elapsed() < std::time::Duration::from_secs(20), "{:?}", told.elapsed());
    assert!(told.elapsed() >= std::time::Duration::from_secs(2), "{:?}", told.elapsed());
    assert_eq!(project.read("log"), "began\nundone\n");
    assert_eq!(fires(&project).iter().filter(|fire| fire.result == Some(FireResult::Cancelled)).count(), 1);
}

#[test]
fn once_does_what_was_missed_and_ends() {
    let project = project("[schedule.quarter]\nrunbook = \"note.rhai\"\nevery = \"1s\"\nmissed = \"latest\"\n");
    project.runbook(&["schedule", "list"]).success().prints("quarter").prints("every 1s");
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    project.runbook(&["serve", "--once"]).success().says("starting note.rhai for `quarter`");
    assert!(lines(&project) >= 1);
    assert!(
        fires(&project).iter().all(|fire| matches!(fire.state, FireState::Ran | FireState::Skipped | FireState::Due))
    );
}

#[test]
fn a_run_that_fails_is_tried_again_and_one_that_is_refused_says_why() {
    let project = project(
        "[schedule.broken]\nrunbook = \"broken.rhai\"\nevery = \"1d\"\nretries = 1\nbackoff = \"1s\"\n\
         [schedule.wrong]\nrunbook = \"wrong.rhai\"\nevery = \"1d\"\n",
    )
    .file("broken.rhai", "sh([\"sh\", \"-c\", \"echo x >> log; exit 3\"]);\n")
    .file("wrong.rhai", "no_such_thing();\n");
    project.runbook(&["schedule", "list"]).success();
    let now = jiff::Timestamp::now().as_second();
    let journal = journal(&project).unwrap();
    let expect = |schedule: &str| runbook::journal::FireChange::Expect {
        schedule: schedule.into(),
        at: now,
        due: now,
        late: false,
        skip: None,
    };
    journal.change_fires(&[expect("broken"), expect("wrong")]).unwrap();
    let mut service = Service::start(&project);
    wait_until("both are over", || fires(&project).iter().all(|fire| fire.state == FireState::Ran));
    service.signal(Signal::TERM);
    service.wait();
    let fires = fires(&project);
    let of = |name: &str| fires.iter().find(|fire| fire.schedule == name).unwrap();
    assert_eq!((of("broken").result, of("broken").attempt), (Some(FireResult::Failed), 2));
    assert_eq!(lines(&project), 2);
    assert_eq!((of("wrong").result, of("wrong").run), (Some(FireResult::Refused), None));
    assert!(of("wrong").note.as_ref().unwrap().contains("no_such_thing"), "{:?}", of("wrong"));
}

#[test]
fn last_words_of_a_worker_are_stored_and_shown_without_secrets() {
    let secret = "correct-horse-battery-staple-97";
    let project = project("[schedule.wrong]\nrunbook = \"wrong.rhai\"\nevery = \"1d\"\n")
        .file("wrong.rhai", &format!("no_such_thing(\"{secret}\");\n"))
        .env("API_TOKEN", secret);
    project.runbook(&["schedule", "list"]).success();
    let now = jiff::Timestamp::now().as_second();
    let expect =
        runbook::journal::FireChange::Expect { schedule: "wrong".into(), at: now, due: now, late: false, skip: None };
    journal(&project).unwrap().change_fires(&[expect]).unwrap();
    let ran = project.runbook(&["serve", "--once"]).success().says("`wrong` did not begin").never_says(secret);
    assert!(ran.stderr.contains("no_such_thing"), "{}", ran.stderr);
    let note = fires(&project)[0].note.clone().unwrap();
    assert!(note.contains("no_such_thing") && !note.contains(secret), "{note}");
    let left = std::fs::read_dir(project.path().join(".runbook/runs")).unwrap().count();
    assert_eq!(left, 0, "what it printed is kept nowhere else");
}
