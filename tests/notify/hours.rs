//! What waits: for the morning, or for more of its kind.

use jiff::{SignedDuration, Timestamp};
use runbook::journal::{Journal, Notice, NoticeState, Sending};

use super::{bodies, notices, project, receiver};
use crate::harness::Project;
use crate::harness::http::Server;

fn told_by(rule: &str) -> (Server, Project) {
    let server = receiver();
    let project = project(&format!(
        "{rule}[notify.channel.hook]\nkind = \"slack\"\nurl = {{ secret = \"SLACK_URL\" }}\n[[notify.rule]]\nto = [\"hook\"]\n"
    ))
    .env("SLACK_URL", &server.url("/hook"));
    (server, project)
}

/// Adds to the rule, which is the last in the file.
fn with(project: &Project, more: &str) {
    let text = project.read("runbook.toml");
    project.file_now("runbook.toml", &format!("{text}{more}"));
}

fn is_due_now(project: &Project) {
    let journal = Journal::open(&project.path().join(".runbook")).unwrap();
    for notice in notices(project.path()).iter().filter(|notice| notice.state == NoticeState::Waiting) {
        journal.settle_notice(notice.id, &Sending::Again { due: 1, problem: "not yet".into() }).unwrap();
    }
}

#[test]
fn nobody_is_woken_in_quiet_hours_but_for_what_is_urgent() {
    let (server, project) = told_by("");
    let clock = |hours: i64| {
        let at = Timestamp::now() + SignedDuration::from_hours(hours);
        at.strftime("%H:%M").to_string()
    };
    let quiet = format!("quiet = \"{}-{}\"\nzone = \"UTC\"\n", clock(-1), clock(2));
    with(&project, &quiet);
    project.runbook(&["run", "deploy.rhai", "--fails", "true"]).code(1);
    project.runbook(&["run", "deploy.rhai", "--fails", "true"]).code(1);
    assert!(server.asked().is_empty(), "it is night");
    let kept: Vec<Notice> = notices(project.path());
    let wait = kept[0].due - Timestamp::now().as_second();
    assert!((3_000..=2 * 3_600).contains(&wait), "it is sent when the quiet hours end: in {wait} s");
    assert_eq!(kept[0].due, kept[1].due);
    project.runbook(&["notify", "list"]).success().prints("waiting");

    with(&project, "urgent = [\"failed\"]\n");
    project.runbook(&["run", "deploy.rhai", "--fails", "true"]).code(1);
    assert_eq!(bodies(&server, "/hook").len(), 1, "what is urgent wakes");

    // The morning comes.
    is_due_now(&project);
    project.runbook(&["serve", "--once"]).success();
    let told = bodies(&server, "/hook");
    assert_eq!(told.len(), 2, "all of the night is one message: {told:?}");
    let text = told[1]["text"].as_str().unwrap();
    assert!(text.contains("runbook show 1") && text.contains("runbook show 2"), "{text}");
}

#[test]
fn a_digest_is_one_message_for_all_that_happened_in_its_span() {
    let (server, project) = told_by("");
    with(&project, "events = [\"failed\", \"succeeded\"]\ndigest = \"1h\"\n");
    project.runbook(&["run", "deploy.rhai", "--fails", "true"]).code(1);
    project.runbook(&["run", "deploy.rhai"]).success();
    project.runbook(&["run", "deploy.rhai"]).success();
    assert!(server.asked().is_empty());
    for notice in notices(project.path()) {
        assert!(notice.bundled && notice.due % 3_600 == 0 && notice.due > notice.created, "{notice:?}");
        assert!(notice.due - notice.created <= 3_600, "{notice:?}");
    }
    is_due_now(&project);
    project.runbook(&["serve", "--once"]).success();
    let told = bodies(&server, "/hook");
    assert_eq!(told.len(), 1, "{told:?}");
    let text = told[0]["text"].as_str().unwrap();
    assert_eq!(text.matches("deploy.rhai ended well on prod").count(), 2, "{text}");
    assert_eq!(text.matches("deploy.rhai failed on prod").count(), 1, "{text}");
    assert!(notices(project.path()).iter().all(|notice| notice.state == NoticeState::Sent));
}

#[test]
fn a_disk_that_runs_full_is_told_once_a_day() {
    let (server, project) = told_by("[notify]\ndisk = \"100TiB\"\n");
    let today = || Timestamp::now().strftime("%Y-%m-%d").to_string();
    let began = today();
    for _ in 0..2 {
        project.runbook(&["run", "deploy.rhai"]).success();
    }
    project.runbook(&["serve", "--once"]).success();
    let told = bodies(&server, "/hook");
    assert!(told.len() == 1 || began != today(), "{told:?}");
    let text = told[0]["text"].as_str().unwrap();
    assert!(text.contains("little free space") && text.contains("100.0 TiB are to be free there at least"), "{text}");
    let place = project.path().join(".runbook").display().to_string();
    assert!(text.contains("next: `runbook doctor`") && text.contains(&format!("where: {place}")), "{text}");
    project.file_now("runbook.toml", &project.read("runbook.toml").replace("100TiB", "1B"));
    project.runbook(&["run", "deploy.rhai"]).success();
    assert_eq!(bodies(&server, "/hook").len(), told.len(), "there is enough");
}
