use std::io::{Read, Write};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::{journal, wait_until};
use super::{Api, project};
use crate::harness::Project;
use runbook::journal::{RunFilter, RunState};

const KEY: &str = "a-key-that-nobody-guesses";

fn hooked() -> Project {
    project(
        "[webhook.deploy]\nrunbook = \"note.rhai\"\nenv = \"prod\"\nkey = { secret = \"HOOK_KEY\" }\n\
         parameters = { word = \"release.tag\", times = \"number\" }\nwhen = { ref = \"refs/heads/main\" }\n",
    )
    .env("HOOK_KEY", KEY)
}

fn signature(body: &str) -> String {
    let mut hash = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    hash.update(body.as_bytes());
    let mut text = "sha256=".to_owned();
    for byte in hash.finalize().into_bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn runs(project: &Project) -> usize {
    journal(project).unwrap().runs(&RunFilter::default()).unwrap().len()
}

#[test]
fn only_what_is_signed_starts_a_runbook_and_each_delivery_once() {
    let project = hooked();
    let api = Api::start(&project);
    let body =
        r#"{"ref": "refs/heads/main", "release": {"tag": "v1 $(x)", "other": {"y": 1}}, "number": 7, "times": 99}"#;
    let good = signature(body);
    let send = |name: &str, signature: Option<&str>, delivery: &str, body: &str| {
        let mut headers = vec![("x-github-delivery", delivery)];
        headers.extend(signature.map(|signature| ("x-hub-signature-256", signature)));
        api.ask("POST", &format!("/hooks/{name}"), &headers, body)
    };
    let refused = send("deploy", None, "1", body);
    assert_eq!(refused.status, 401);
    for wrong in [
        "",
        "sha256=",
        &good[..good.len() - 2],
        &good[..good.len() - 1],
        &good[..9],
        &good.replace("sha256=", "sha1="),
        &format!("{good}00"),
        &signature("{}"),
    ] {
        let found = send("deploy", Some(wrong), "1", body);
        assert_eq!((found.status, &found.body), (401, &refused.body), "{wrong}");
    }
    assert_eq!(send("nothing", Some(&good), "1", body).body, refused.body, "what there is not looks the same");
    assert_eq!(send("deploy", Some(&good), "1", &format!("{body} ")).status, 401, "the raw body is signed");
    assert_eq!(runs(&project), 0);

    let other = body.replace("main", "next");
    let ignored = send("deploy", Some(&signature(&other)), "1", &other);
    assert_eq!((ignored.status, ignored.body.contains("ignored")), (200, true));
    let shape = body.replace("\"v1 $(x)\"", "{\"a\": 1}");
    assert_eq!(send("deploy", Some(&signature(&shape)), "1", &shape).status, 422, "only plain values are taken");
    let kind = body.replace("\"number\": 7", "\"number\": \"seven\"");
    let refused = send("deploy", Some(&signature(&kind)), "1", &kind);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(runs(&project), 0);

    let taken = send("deploy", Some(&good), "1", body);
    assert_eq!(taken.status, 202, "{taken:?}");
    let run = taken.json()["run"].as_i64().unwrap();
    wait_until("it has ended", || journal(&project).unwrap().run(run).unwrap().state == RunState::Ok);
    let record = journal(&project).unwrap().run(run).unwrap();
    assert_eq!(record.parameters, serde_json::json!({ "word": "v1 $(x)", "times": 7 }));
    for delivery in ["1", "2"] {
        let again = send("deploy", Some(&good), delivery, body);
        assert_eq!((again.status, again.json()["duplicate"].as_bool()), (200, Some(true)), "the same body is no news");
    }
    assert_eq!(runs(&project), 1);
}

#[test]
fn a_program_that_knows_the_key_is_not_started_for_whoever_asks() {
    let project = project(
        "[webhook.deploy]\nrunbook = \"note.rhai\"\nkey = { secret = \"HOOK_KEY\" }\n\
         [secrets]\nsources = [{ from = \"command\", argv = [\"sh\", \"-c\", \"echo asked >> asked; echo a-key-that-nobody-guesses\"], names = [\"HOOK_KEY\"] }]\n",
    );
    let api = Api::start(&project);
    let send = |signature: &str| api.ask("POST", "/hooks/deploy", &[("x-hub-signature-256", signature)], "{}").status;
    let asked = || std::fs::read_to_string(project.path().join("asked")).unwrap_or_default().lines().count();
    for rubbish in ["", "sha256=", "sha256=zz", &"g".repeat(64), &signature("{}")[..70]] {
        assert_eq!(send(rubbish), 401);
    }
    assert_eq!(asked(), 0);
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(send(&signature("another body")), 401);
    }
    let most = 1 + usize::try_from(began.elapsed().as_secs() / 10).unwrap();
    assert!((1..=most).contains(&asked()), "{} times in {:?}", asked(), began.elapsed());
}

#[test]
fn large_bodies_and_slow_clients_are_turned_away() {
    let project = hooked();
    let api = Api::start(&project);
    let large = "x".repeat(10 << 20);
    let found = api.ask("POST", "/hooks/deploy", &[("x-hub-signature-256", &signature(&large))], &large);
    assert!([413, 0].contains(&found.status), "{}", found.status);
    let mut slow = api.connect();
    let head = format!("POST /hooks/deploy HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000\r\n\r\nx", api.place);
    slow.write_all(head.as_bytes()).unwrap();
    let began = Instant::now();
    let mut text = String::new();
    let _ = slow.read_to_string(&mut text);
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    assert_eq!(api.ask("GET", "/healthz", &[], "").status, 200, "others are answered");
}
