use std::time::{Duration, Instant};

use runbook::primitive::{Failure, FailureKind};
use serde_json::json;

use super::{SLACK, Shop, evidence, free_port};

fn serving(command: &str, more: &str) -> String {
    format!("services:\n  api:\n    image: BASE\n    command: {command}\n    stop_grace_period: 0s\n{more}")
}

#[test]
fn a_failed_gate_shows_everything_there_is_to_see() {
    let port = free_port();
    let compose = serving(
        "sh -c 'echo listening soon; mkdir -p /www; exec httpd -f -p 9000 -h /www'",
        &format!(
            "    ports: ['127.0.0.1:{port}:8000']\n    healthcheck: {{ test: [CMD, wget, -q, -O-, 'http://127.0.0.1:8000/health'], interval: 200ms, timeout: 1s, retries: 3 }}\n"
        ),
    );
    let Some(shop) = Shop::new(&compose) else { return };
    let failure = shop.fails("up", json!([]), json!({ "wait": "20s" }));
    assert_eq!(failure.kind, FailureKind::Check);
    assert!(failure.message.starts_with("service `api` failed its health gate: container `"), "{failure:?}");
    assert!(failure.message.contains("is unhealthy"), "{failure:?}");
    let seen = evidence(&failure);
    for piece in [
        "listening soon",
        "check: CMD wget -q -O- http://127.0.0.1:8000/health",
        "exit code 1",
        "can't connect to remote host",
        "[::]:9000",
        &format!("127.0.0.1:{port} → 8000/tcp"),
    ] {
        assert!(seen.contains(piece), "`{piece}` is missing in:\n{seen}");
    }
    let hint = "port 8000 is published, but the processes listen on [::]:9000";
    assert!(failure.hints.iter().any(|found| found.starts_with(hint)), "{failure:?}");
}

#[test]
fn a_container_that_exits_at_once_is_told_with_its_code_and_last_lines() {
    let Some(shop) = Shop::new(&serving("sh -c 'echo no configuration found >&2; exit 7'", "")) else { return };
    let failure = shop.fails("up", json!([]), json!({ "wait": "20s" }));
    assert_eq!(failure.kind, FailureKind::Check);
    let name = shop.container("api").name;
    assert_eq!(failure.message, format!("service `api` failed its health gate: container `{name}` exited with code 7"));
    assert!(evidence(&failure).contains("no configuration found"), "{failure:?}");
}

#[test]
fn a_full_volume_is_told_in_the_containers_words_and_with_what_to_do() {
    let write = "sh -c 'dd if=/dev/zero of=/data/file bs=1024 count=4096 || exit 1; exec sleep 600'";
    let more = "    volumes: ['data:/data']\n\
                volumes:\n  data:\n    driver_opts: { type: tmpfs, device: tmpfs, o: 'size=256k' }\n";
    let Some(shop) = Shop::new(&serving(write, more)) else { return };
    let failure = shop.fails("up", json!([]), json!({ "wait": "20s" }));
    assert!(failure.message.ends_with("exited with code 1"), "{failure:?}");
    assert!(evidence(&failure).contains("No space left on device"), "{failure:?}");
    assert!(failure.hints.iter().any(|hint| hint.starts_with("a file system it writes to is full")), "{failure:?}");
}

#[test]
fn a_container_that_keeps_restarting_never_counts_as_running() {
    let compose = serving("sh -c 'sleep 0.3; exit 1'", "    restart: always\n");
    let Some(shop) = Shop::new(&compose) else { return };
    let failure = shop.fails("up", json!([]), json!({ "wait": "20s" }));
    assert_eq!(failure.kind, FailureKind::Check);
    assert!(failure.message.contains("keeps exiting and being restarted"), "{failure:?}");
}

#[test]
fn a_health_check_that_never_answers_ends_at_the_limit() {
    let compose = serving("sleep 600", "    healthcheck: { test: [CMD, sleep, '600'], interval: 1s, timeout: 120s }\n");
    let Some(shop) = Shop::new(&compose) else { return };
    let begun = Instant::now();
    let failure = shop.fails("up", json!([]), json!({ "wait": "2s" }));
    assert!(begun.elapsed() < Duration::from_secs(2) + SLACK);
    assert_eq!(failure.kind, FailureKind::Check);
    assert!(failure.message.ends_with("was not healthy within 2s"), "{failure:?}");
    assert!(failure.hints.contains(&"if it only needs longer, raise the option `wait`".to_owned()), "{failure:?}");
    assert!(evidence(&failure).contains("check: CMD sleep 600"), "{failure:?}");
}

#[test]
fn the_container_from_before_is_kept_until_the_new_one_proves_itself() {
    let good = serving("sleep 600", "");
    let Some(shop) = Shop::new(&good) else { return };
    shop.up();
    let first = shop.container("api").id;
    shop.write(&serving("sh -c 'exit 1'", ""));
    shop.fails("up", json!([]), json!({ "wait": "10s" }));
    assert_eq!(shop.containers(), ["api-1 exited", "api-1.runbook-previous exited"]);

    // Mended, it goes as if nothing had been.
    shop.write(&good.replace("sleep 600", "sleep 601"));
    shop.up();
    assert_eq!(shop.containers(), ["api-1 running"]);
    assert_ne!(shop.container("api").id, first);
}

#[test]
fn one_service_that_fails_stops_the_waiting_for_others() {
    let compose = "
services:
  api: { image: BASE, command: sh -c 'exit 1' }
  slow:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    healthcheck: { test: [CMD, 'false'], interval: 60s }
";
    let Some(shop) = Shop::new(compose) else { return };
    let begun = Instant::now();
    let failure = shop.fails("up", json!([]), json!({ "wait": "120s" }));
    assert!(failure.message.starts_with("service `api` failed"), "{failure:?}");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn cancelled_while_waiting_for_health_it_stops_and_the_old_one_serves() {
    let good = serving("sleep 600", "    environment: { VERSION: '1' }\n");
    let Some(shop) = Shop::new(&good) else { return };
    shop.up();
    let first = shop.container("api").id;
    shop.write(&serving(
        "sleep 600",
        "    environment: { VERSION: '2' }\n    healthcheck: { test: [CMD, 'false'], interval: 60s }\n",
    ));
    let (failure, asked) = cancelled_once(&shop, "waiting until healthy", Duration::ZERO);
    assert_eq!(failure.kind, FailureKind::Cancelled, "{failure:?}");
    assert_eq!(failure.hints, Vec::<String>::new());
    assert!(asked.elapsed() < Duration::from_secs(10), "took {:?}", asked.elapsed());
    assert_eq!(shop.containers(), ["api-1 running"]);
    assert_eq!(shop.container("api").id, first);
}

#[test]
fn cancelled_while_the_old_one_stops_it_serves_again() {
    let stubborn = |version: &str| {
        format!(
            "services:\n  api:\n    image: BASE\n    command: [sh, -c, 'trap \"\" TERM; while true; do sleep 1; done']\n    stop_grace_period: 60s\n    environment: {{ VERSION: '{version}' }}\n"
        )
    };
    let Some(shop) = Shop::new(&stubborn("1")) else { return };
    shop.up();
    let first = shop.container("api").id;
    shop.write(&stubborn("2"));
    let (failure, asked) = cancelled_once(&shop, "replacing", Duration::from_secs(2));
    assert_eq!(failure.kind, FailureKind::Cancelled, "{failure:?}");
    assert_eq!(failure.hints, Vec::<String>::new());
    assert!(asked.elapsed() < Duration::from_secs(10), "took {:?}", asked.elapsed());
    assert_eq!(shop.containers(), ["api-1 running"]);
    assert_eq!(shop.container("api").id, first);
}

/// Calls `up` and cancels it some time after it says that it is doing this; returns its failure and when it was asked.
fn cancelled_once(shop: &Shop, doing: &str, after: Duration) -> (Failure, Instant) {
    let cancel = shop.direct.cancel.clone();
    let before = shop.direct.progress().len();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = Instant::now();
            while !shop.direct.progress()[before..].iter().any(|said| said == doing) {
                assert!(begun.elapsed() < Duration::from_secs(60), "it never came to that");
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(after);
            let asked = Instant::now();
            cancel.cancel(runbook::primitive::CancelReason::Person);
            asked
        });
        let failure = shop.fails("up", json!([]), json!({ "wait": "120s" }));
        (failure, waiting.join().unwrap())
    })
}
