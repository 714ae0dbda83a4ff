use runbook::journal::{Journal, NewNotice, NoticeState, Sending};
use serde_json::json;

use super::{bodies, notices, project, receiver};
use crate::harness::http::{Reply, Server, closed_port};

const HOOK: &str = "[notify.channel.hook]\nkind = \"slack\"\nurl = { secret = \"SLACK_URL\" }\n\
    [[notify.rule]]\nto = [\"hook\"]\nevents = [\"failed\", \"succeeded\"]\n";

#[test]
fn what_cannot_be_sent_is_kept_and_sent_later_and_no_run_fails_for_it() {
    let dead = format!("http://127.0.0.1:{}/T000/very-secret-path", closed_port());
    let project = project(HOOK).env("SLACK_URL", &dead);
    let ran = project.runbook(&["run", "deploy.rhai"]).success().says("nobody could be told on `hook` yet");
    assert!(ran.stderr.contains("connection refused") && !ran.stderr.contains("very-secret-path"), "{}", ran.stderr);
    let kept = notices(project.path());
    assert_eq!((kept.len(), kept[0].state, kept[0].attempt), (1, NoticeState::Waiting, 1));
    assert!(!kept[0].problem.as_ref().unwrap().contains("very-secret-path"), "{kept:?}");
    assert!(kept[0].due > kept[0].created + 20, "it is tried again after a while: {kept:?}");

    let server = receiver();
    let project = project.env("SLACK_URL", &server.url("/T000/very-secret-path"));
    let journal = Journal::open(&project.path().join(".runbook")).unwrap();
    let again = Sending::Again { due: 1, problem: "not yet".into() };
    journal.settle_notice(kept[0].id, &again).unwrap();
    project.runbook(&["run", "deploy.rhai"]).success().never_says("could be told");
    assert_eq!(bodies(&server, "/T000/very-secret-path").len(), 2);
    assert!(notices(project.path()).iter().all(|notice| notice.state == NoticeState::Sent));
    project.runbook(&["state", "verify"]).success();
}

#[test]
fn what_is_refused_for_long_is_given_up_and_that_is_written_down() {
    let server = Server::start(|_| Reply::text(500, "no"));
    let text = format!("[notify]\ngive_up = \"1s\"\n{HOOK}");
    let project = project(&text).env("SLACK_URL", &server.url("/hook"));
    project.runbook(&["run", "deploy.rhai"]).success().says("the answer was 500");
    project.runbook(&["notify", "list"]).success().prints("given up").prints("500");
}

#[test]
fn a_server_that_says_nothing_holds_up_the_end_of_a_run_only_so_long() {
    let server = Server::start(|_| Reply::Silence);
    let project = project(HOOK).env("SLACK_URL", &server.url("/hook"));
    let began = std::time::Instant::now();
    project.runbook(&["run", "deploy.rhai"]).success().says("nobody could be told on `hook` yet");
    assert!(began.elapsed() < std::time::Duration::from_secs(25), "{:?}", began.elapsed());
}

#[test]
fn what_is_due_together_is_one_message() {
    let server = receiver();
    let project = project(HOOK).env("SLACK_URL", &server.url("/hook"));
    project.runbook(&["run", "deploy.rhai", "--fails", "true"]).code(1);
    let journal = Journal::open(&project.path().join(".runbook")).unwrap();
    let message = notices(project.path())[0].message.clone();
    let notice = |subject: &str, summary: &str| {
        let mut message = message.clone();
        message["summary"] = json!(summary);
        NewNotice {
            subject: subject.into(),
            channel: "hook".into(),
            environment: "prod".into(),
            message,
            due: 10,
            bundled: true,
            expires: i64::MAX,
        }
    };
    journal.add_notices(&[notice("a", "first"), notice("b", "second"), notice("a", "first")], 5, 0, &[]).unwrap();
    project.runbook(&["run", "deploy.rhai"]).success();
    let told = bodies(&server, "/hook");
    let together = told.iter().find(|body| body["text"].as_str().unwrap().contains("first")).unwrap();
    assert_eq!(together["text"].as_str().unwrap().matches("second").count(), 1, "{together}");
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn a_project_file_that_cannot_be_meant_is_refused_with_words() {
    for (text, words) in [
        ("[[notify.rule]]\nto = [\"ops\"]\n", "there is no [notify.channel.ops]"),
        (
            "[notify.channel.x]\nkind = \"slack\"\nurl = \"http://plain\"\n[[notify.rule]]\nto = [\"x\"]\n",
            "a secret, as in `{ secret =",
        ),
        ("[notify.channel.x]\nkind = \"ping\"\n", "a ping needs one of"),
        ("[notify.channel.x]\nkind = \"pigeon\"\n", "pigeon"),
        (
            "[notify.channel.x]\nkind = \"command\"\nargv = [\"true\"]\n[[notify.rule]]\nto = [\"x\"]\nquiet = \"night\"\n",
            "`night` is no span of a day",
        ),
    ] {
        let ran = project(text).runbook(&["run", "deploy.rhai"]).code(2);
        assert!(ran.stderr.contains(words), "{text}\n{}", ran.stderr);
        assert!(!ran.stderr.contains("struct "), "no type names: {}", ran.stderr);
    }
}
