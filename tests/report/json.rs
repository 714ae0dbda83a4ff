use runbook::journal::Event;
use runbook::report::{JsonLines, Sink};

use super::story::{Kept, assert_text, failed_deployment};

#[test]
fn every_event_is_one_line_that_reads_back() {
    let kept = Kept::default();
    let sink = JsonLines::to(Box::new(kept.clone()));
    let story = failed_deployment();
    story.events.iter().for_each(|event| sink.event(&crate::harness::fit(event)));
    let text = kept.text();
    assert_eq!(text.lines().count(), story.events.len());
    assert!(text.lines().all(|line| serde_json::from_str::<Event>(line).is_ok()));
    let first: Vec<&str> = text.lines().take(3).collect();
    assert_text(
        &first.join("\n"),
        r#"
{"event":"run_started","run":12,"runbook":"deploy.rhai","title":"Deploy the shop: back up, migrate, replace behind a health gate","environment":"prod","parameters":{"tag":"v1.4.2"},"at":"2026-01-02T03:04:05Z"}
{"event":"call_started","path":"1","name":"step","title":"migrate","effect":"flow","arguments":{"name":"migrate","block":"|| …"},"site":{"file":"","line":0,"column":0},"at":"2026-01-02T03:04:05.1Z"}
{"event":"call_started","path":"1.1","name":"compose.run","title":"compose.run api alembic upgrade head","effect":"change","arguments":{"command":["alembic","upgrade"],"timeout":"5m"},"site":{"file":"","line":0,"column":0},"at":"2026-01-02T03:04:05.1Z"}"#,
    );
}
