use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use super::super::{journal, wait_until};
use super::{Api, project, token};
use runbook::journal::RunState;

#[test]
fn fifty_slow_followers_do_not_hold_up_a_run() {
    let project = project("").file("some.rhai", "for i in 0..30 { info(`line ${i}`); sleep(\"20ms\"); }\n");
    let all = token(&project, "ci", "read,start");
    let api = Api::start(&project);
    let follow = |run: i64| {
        let mut stream = api.connect();
        let request = format!(
            "GET /v1/runs/{run}/follow HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {all}\r\nConnection: close\r\n\r\n",
            api.place
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let started = api.with(&all, "POST", "/v1/runs", r#"{"runbook": "some.rhai"}"#);
    let run = started.json()["run"].as_i64().unwrap();
    // They read nothing.
    let slow: Vec<_> = (0..50).map(|_| follow(run)).collect();
    let lines: Vec<String> = BufReader::new(follow(run)).lines().map_while(Result::ok).collect();
    let data = lines.iter().filter(|line| line.contains("\"line\":\"line ")).count();
    assert_eq!(data, 30, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("event: end")), "{lines:?}");
    wait_until("it has ended", || journal(&project).unwrap().run(run).unwrap().state == RunState::Ok);
    let took = journal(&project).unwrap().run(run).unwrap().milliseconds.unwrap();
    eprintln!("a run of 600 ms with 50 slow followers took {took} ms");
    assert!(took < 10_000, "{took} ms");
    drop(slow);
}

#[test]
fn whoever_says_nothing_is_hung_up_on() {
    let project = project("");
    let api = Api::start(&project);
    let mut silent = api.connect();
    silent.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").unwrap();
    let began = Instant::now();
    let mut text = String::new();
    let _ = std::io::Read::read_to_string(&mut silent, &mut text);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
