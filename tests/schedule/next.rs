use std::io::Write;
use std::process::Stdio;

use crate::harness::Project;
use serde_json::{Value, json};

fn answers(project: &Project, lines: &str) -> Vec<Value> {
    let mut child =
        project.command(&["schedule", "next", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_night_on_which_clocks_are_put_forward_fires_at_the_end_of_the_gap() {
    let project = Project::new();
    let ran = project
        .runbook(&[
            "schedule",
            "next",
            "--cron",
            "30 2 * * *",
            "--zone",
            "Europe/Berlin",
            "--from",
            "2026-03-28",
            "--until",
            "2026-03-31",
            "--json",
        ])
        .success();
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected = json!(["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    assert_eq!(answer["fires"], expected);
    assert_eq!(answer["more"], false);
}

#[test]
fn people_see_local_times_and_the_days_that_are_unusual() {
    let project = Project::new();
    project
        .runbook(&[
            "schedule",
            "next",
            "--cron",
            "*/30 * * * *",
            "--zone",
            "Australia/Lord_Howe",
            "--from",
            "2026-04-05T01:00",
            "-n",
            "4",
        ])
        .success()
        .prints("Sun 2026-04-05 01:00 +11:00\nSun 2026-04-05 01:30 +11:00\nSun 2026-04-05 01:30 +10:30\n")
        .prints("49 instead of 48");
}

#[test]
fn a_mistake_is_shown_with_its_place_and_is_exit_code_2() {
    Project::new()
        .runbook(&["schedule", "next", "--cron", "0 25 * * *"])
        .code(2)
        .says("`25` is no hour\n")
        .says("0 25 * * *\n")
        .says("write a number from 0 to 23");
    let ran = Project::new().runbook(&["schedule", "next", "--cron", "30 2 31 2 *", "--json"]).code(2);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["error"]["kind"], "never");
    assert_eq!((answer["error"]["column"].clone(), answer["error"]["length"].clone()), (json!(6), json!(4)));
    let ran = Project::new().runbook(&["schedule", "next", "--cron", "@daily", "--zone", "Mars/Base"]).code(2);
    ran.says("there is no time zone `Mars/Base`");
}

#[test]
fn many_questions_are_answered_in_order() {
    let window = r#""from":"2026-10-25T00:00:00Z","until":"2026-10-25T03:00:00Z""#;
    let lines = format!(
        "{{\"id\":1,\"cron\":\"30 2 * * *\",\"zone\":\"Europe/Berlin\",{window}}}\n\n\
         {{\"id\":\"b\",\"cron\":\"30 * * * *\",\"zone\":\"Europe/Berlin\",{window}}}\n\
         {{\"id\":3,\"cron\":\"61 * * * *\"}}\nnonsense\n\
         {{\"id\":5,\"cron\":\"30 2 * * *\",\"zone\":\"Europe/Berlin\",\"dst\":\"wall\",{window}}}\n\
         {{\"id\":6,\"cron\":\"*5 0 1 1 *\",\"zone\":\"UTC\",\"from\":\"2026-01-01T00:00Z\",\"limit\":1}}\n"
    );
    let answers = answers(&Project::new(), &lines);
    assert_eq!(answers.len(), 6);
    assert_eq!(answers[0]["fires"], json!(["2026-10-25T00:30:00Z"]));
    assert_eq!(answers[1]["fires"], json!(["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"]));
    assert_eq!((answers[2]["id"].clone(), answers[2]["error"]["kind"].clone()), (json!(3), json!("syntax")));
    assert_eq!(answers[3]["error"]["kind"], "question");
    assert_eq!(answers[3]["error"]["message"], "this line is no JSON: it goes wrong at character 2");
    assert_eq!(answers[4]["fires"], json!(["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]));
    assert_eq!(answers[5]["warnings"][0]["message"], "Debian's cron passes over `5` here");
    assert_eq!(
        (answers[5]["fires"].clone(), answers[5]["more"].clone()),
        (json!(["2026-01-01T00:00:00Z"]), json!(true))
    );
}

#[test]
fn what_is_no_question_is_told_with_the_id_it_has() {
    let lines = r#"{"id": 1, "corn": "@daily"}
{"id": 2, "cron": "@daily", "dst": "never"}
{"id": 3}
{"id": 4, "cron": "@daily", "limit": -1}
{"id": 5, "cron": ["@daily"]}
[1]
"#;
    let answers = answers(&Project::new(), lines);
    let said = |place: usize| answers[place]["error"]["message"].as_str().unwrap().to_owned();
    for (place, id) in (1..=5).enumerate() {
        assert_eq!((&answers[place]["id"], &answers[place]["error"]["kind"]), (&json!(id), &json!("question")));
    }
    assert_eq!(
        (said(0), &answers[0]["error"]["hint"]),
        ("there is no key `corn`".into(), &json!("did you mean `cron`?"))
    );
    assert_eq!(said(1), "`dst` is `never`, which is none of debian, once, wall, skip");
    assert_eq!(said(2), "the key `cron` is missing");
    assert_eq!(said(3), "`limit` must be an integer of at least 0, got integer `-1`");
    assert_eq!(said(4), "`cron` must be a string, got a list");
    assert_eq!(said(5), "this line is no JSON object");
}
