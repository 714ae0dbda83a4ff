use runbook::journal::NoticeState;
use runbook::notify::signature;
use rustix::process::Signal;
use serde_json::Value;

use super::{bodies, notices, project, receiver};
use crate::harness::Project;

const CHANNELS: &str = r#"
[notify.channel.hook]
kind = "webhook"
url = { secret = "HOOK_URL" }
key = { secret = "HOOK_KEY" }
[notify.channel.slack]
kind = "slack"
url = { secret = "SLACK_URL" }
[notify.channel.discord]
kind = "discord"
url = { secret = "DISCORD_URL" }
[notify.channel.teams]
kind = "teams"
url = { secret = "TEAMS_URL" }
[notify.channel.file]
kind = "command"
argv = ["sh", "-c", "cat >> told.json; echo $RUNBOOK_EVENT >> told.txt"]
[notify.channel.switch]
kind = "ping"
start = { secret = "PING_START" }
success = { secret = "PING_SUCCESS" }
failure = { secret = "PING_FAILURE" }
[[notify.rule]]
to = ["hook", "slack", "discord", "teams", "file", "switch"]
"#;

fn with_urls(mut project: Project, base: &str) -> Project {
    for (name, path) in [
        ("HOOK_URL", "hook"),
        ("SLACK_URL", "slack"),
        ("DISCORD_URL", "discord"),
        ("TEAMS_URL", "teams"),
        ("PING_START", "ping/start"),
        ("PING_SUCCESS", "ping"),
        ("PING_FAILURE", "ping/fail"),
    ] {
        project = project.env(name, &format!("{base}/{path}"));
    }
    project.env("HOOK_KEY", "a-key-that-nobody-guesses")
}

#[test]
fn a_run_that_fails_and_one_that_recovers_are_told_on_every_way() {
    let server = receiver();
    let project = with_urls(project(CHANNELS), &server.url(""));
    project.runbook(&["run", "deploy.rhai"]).success();
    let paths = |server: &crate::harness::http::Server| -> Vec<String> {
        server.asked().into_iter().map(|asked| asked.path).collect()
    };
    assert_eq!(paths(&server), ["/ping/start", "/ping"], "a run that ends well is no news but for the switch");

    project.runbook(&["run", "deploy.rhai", "--fails", "true"]).code(1).never_says("could be told");
    let told = bodies(&server, "/hook");
    assert_eq!(told.len(), 1);
    let message = &told[0];
    assert_eq!(message["event"], "failed");
    assert_eq!(message["summary"], "deploy.rhai failed on prod");
    assert_eq!(message["project"], "shop");
    assert_eq!(message["run"], 2);
    assert_eq!(message["last_good"]["run"], 1);
    assert_eq!(message["command"], "runbook show 2");
    assert!(message["where"].as_str().unwrap().starts_with("step `migrate`, deploy.rhai:"), "{message}");
    assert!(message["why"].as_str().unwrap().contains("exited with code 3"), "{message}");
    assert!(message["evidence"].to_string().contains("the table is locked"), "{message}");

    let asked = server.asked().into_iter().find(|asked| asked.path == "/hook").unwrap();
    let at: i64 = asked.header("webhook-timestamp").unwrap().parse().unwrap();
    let id = asked.header("webhook-id").unwrap();
    let expected = signature("a-key-that-nobody-guesses", id, at, asked.body.as_bytes());
    assert_eq!(asked.header("webhook-signature"), Some(expected.as_str()));

    let slack = bodies(&server, "/slack")[0]["text"].as_str().unwrap().to_owned();
    assert!(slack.starts_with("*deploy.rhai failed on prod*\n") && slack.contains("next: `runbook show 2`"), "{slack}");
    let discord = &bodies(&server, "/discord")[0];
    assert!(discord["content"].as_str().unwrap().contains("the table is locked"), "{discord}");
    assert_eq!(discord["allowed_mentions"]["parse"], Value::Array(Vec::new()));
    let card = &bodies(&server, "/teams")[0]["attachments"][0]["content"];
    assert_eq!(card["type"], "AdaptiveCard");
    assert_eq!(card["body"][0]["text"], "deploy.rhai failed on prod");
    let file: Value = serde_json::from_str(&project.read("told.json")).unwrap();
    assert_eq!(file["event"], "failed");
    assert_eq!(project.read("told.txt"), "failed\n");
    assert_eq!(paths(&server).iter().filter(|path| *path == "/ping/fail").count(), 1);

    project.runbook(&["run", "deploy.rhai"]).success();
    let told = bodies(&server, "/hook");
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[1]["event"], &told[1]["summary"]),
        (&"recovered".into(), &"deploy.rhai works again on prod".into())
    );
    assert!(notices(project.path()).iter().all(|notice| notice.state == NoticeState::Sent));
    project.runbook(&["notify", "list"]).success().prints("deploy.rhai works again on prod").prints("sent");
    project.runbook(&["state", "verify"]).success();
}

#[test]
fn a_rule_is_about_some_runbooks_and_environments() {
    let server = receiver();
    let rules = format!(
        "[env.test]\n[notify.channel.hook]\nkind = \"webhook\"\nurl = \"{}\"\nkey = {{ secret = \"HOOK_KEY\" }}\n\
         [[notify.rule]]\nto = [\"hook\"]\nenv = [\"pro*\"]\nrunbook = [\"dep*\"]\nevents = [\"failed\"]\n",
        server.url("/hook")
    );
    let project = project(&rules).file("other.rhai", super::RUNBOOK).env("HOOK_KEY", "a-key-that-nobody-guesses");
    project.runbook(&["run", "deploy.rhai", "--env", "test", "--fails", "true"]).code(1);
    project.runbook(&["run", "other.rhai", "--env", "prod", "--fails", "true"]).code(1);
    assert!(server.asked().is_empty());
    project.runbook(&["run", "deploy.rhai", "--env", "prod", "--fails", "true"]).code(1);
    assert_eq!(bodies(&server, "/hook").len(), 1);
}

#[test]
fn a_run_that_waits_one_that_died_and_one_that_takes_too_long_are_told() {
    let server = receiver();
    let rules = format!(
        "[notify.channel.hook]\nkind = \"webhook\"\nurl = \"{}\"\nkey = {{ secret = \"HOOK_KEY\" }}\n\
         [[notify.rule]]\nto = [\"hook\"]\nlonger_than = \"1s\"\n",
        server.url("/hook")
    );
    let project = project(&rules)
        .file("ask.rhai", "confirm(\"remove everything?\");\n")
        .file("long.rhai", "file(\"began\").write(\"x\");\nsleep(\"1h\");\n")
        .env("HOOK_KEY", "a-key-that-nobody-guesses");
    project.runbook(&["run", "ask.rhai"]).code(3);
    let told = bodies(&server, "/hook");
    assert_eq!((&told[0]["event"], &told[0]["why"]), (&"waiting".into(), &"remove everything?".into()));
    assert_eq!(told[0]["command"], "runbook approve 1, or runbook reject 1");

    let (ran, _) = project.interrupted(&["run", "long.rhai"], Signal::KILL, || bodies(&server, "/hook").len() >= 2);
    assert_eq!(ran.code, -1);
    let told = bodies(&server, "/hook");
    assert_eq!((&told[1]["event"], &told[1]["command"]), (&"too_long".into(), &"runbook logs 2 --follow".into()));

    project.runbook(&["run", "deploy.rhai"]).success();
    let told = bodies(&server, "/hook");
    assert_eq!((&told[2]["event"], &told[2]["summary"]), (&"failed".into(), &"long.rhai died on prod".into()));
    assert_eq!(told[2]["command"], "runbook resume 2, or runbook cancel 2");
}

#[test]
fn what_was_missed_is_told_once_for_all_its_times() {
    let server = receiver();
    let rules = format!(
        "[notify.channel.hook]\nkind = \"webhook\"\nurl = \"{}\"\nkey = {{ secret = \"HOOK_KEY\" }}\n\
         [[notify.rule]]\nto = [\"hook\"]\nevents = [\"missed\"]\n\
         [schedule.quarter]\nrunbook = \"deploy.rhai\"\nevery = \"1m\"\nmissed = \"skip\"\nenv = \"prod\"\n",
        server.url("/hook")
    );
    let project = project(&rules).env("HOOK_KEY", "a-key-that-nobody-guesses");
    // Whatever is told is told from now on.
    project.runbook(&["run", "deploy.rhai"]).success();
    project.runbook(&["schedule", "list"]).success();
    let now = jiff::Timestamp::now().as_second();
    let journal = runbook::journal::Journal::open(&project.path().join(".runbook")).unwrap();
    let definition = journal.schedules().unwrap()[0].definition.clone();
    let change = runbook::journal::FireChange::Register { name: "quarter".into(), definition, accounted: now - 600 };
    journal.change_fires(&[change]).unwrap();
    project.runbook(&["serve", "--once"]).success();
    let told = bodies(&server, "/hook");
    assert_eq!(told.len(), 1, "{told:?}");
    let summary = told[0]["summary"].as_str().unwrap();
    assert!(summary.starts_with("deploy.rhai was missed ") && summary.ends_with(" times on prod"), "{summary}");
    assert_eq!(told[0]["command"], "runbook schedule history quarter");
}
