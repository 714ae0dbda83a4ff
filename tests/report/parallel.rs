use runbook::journal::RunState;
use runbook::primitive::{Effect, LogStream};
use runbook::report::{Style, Verbosity};
use serde_json::json;

use super::story::{Story, assert_text, health_gate, shown};
use super::terminal::screen;

/// Two hosts at once; the second fails.
fn two_hosts() -> Story {
    let mut story = Story::begins("prod");
    let hosts = json!({ "items": ["web-1", { "$kind": "host", "name": "web-2" }], "block": "|| …" });
    story.step("1", "roll out").starts("1.1", "parallel", "parallel", Effect::Flow, hosts);
    story.at(10).step("1.1.1.1", "replace").at(11).step("1.1.2.1", "replace");
    story.at(12).change("1.1.1.1.1", "compose.up shop").at(13).change("1.1.2.1.1", "compose.up shop");
    story.log("1.1.1.1.1", LogStream::Stdout, "from web-1").log("1.1.2.1.1", LogStream::Stdout, "from web-2");
    story.at(900).changed("1.1.1.1.1", "1 recreated").at(950).fails("1.1.2.1.1", &health_gate());
    story.at(960).done("1.1.1.1").fails("1.1.2.1", &health_gate());
    story.at(970).read("1.1.1.2", "http_check https://web-1.example.com/health").at(999).cancelled("1.1.1.2");
    story.fails("1.1", &health_gate()).fails("1", &health_gate());
    story.finishes(RunState::Failed, Some(health_gate()), vec![]);
    story
}

#[test]
fn lines_of_different_branches_carry_their_label_in_a_pipe() {
    assert_text(
        &shown(&two_hosts().events, Style::plain()),
        r#"
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ roll out
  ▸ parallel
    [web-1] ▸ replace
    [web-2] ▸ replace
    [web-1]   ✓ compose.up shop — 1 recreated                              888ms
    [web-2]   ✗ compose.up shop                                            937ms
    [web-2]     service `api` did not become healthy within 30s
    [web-1] ✓ replace                                                      950ms
    [web-2] ✗ replace                                                      949ms
    [web-1] - http_check https://web-1.example.com/health — cancelled       29ms
  ✗ parallel                                                               999ms
✗ roll out                                                                 999ms

error: service `api` did not become healthy within 30s

last lines of api:
  Traceback (most recent call last):
    File "main.py", line 3
  KeyError: 'JWT'

health log:
  exit code 22: curl: (22) The requested URL returned error: 503

hint: set `JWT` in .env.prod

failed: deploy.rhai on prod in 999ms at `replace`
        1 call changed something, 1 may have
show more: runbook show 12
           runbook logs 12 --step replace
"#,
    );
}

#[test]
fn output_of_different_branches_carries_their_label() {
    assert_text(
        &shown(&two_hosts().events[..10], Style::plain().verbosity(Verbosity::Verbose)),
        r#"
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ roll out
  ▸ parallel
      items: ["web-1",{"$kind":"host","name":"web-2"}]
    [web-1] ▸ replace
    [web-2] ▸ replace
    [web-1]   ▸ compose.up shop
    [web-1]       command: ["alembic","upgrade"], timeout: "5m"
    [web-1]     | from web-1
    [web-2]   ▸ compose.up shop
    [web-2]       command: ["alembic","upgrade"], timeout: "5m"
    [web-2]     | from web-2
    [web-1]   ✓ compose.up shop — 1 recreated                              888ms
"#,
    );
}

#[test]
fn branches_are_trees_of_their_own_on_a_terminal() {
    assert_text(
        &screen(&two_hosts().events, 80),
        r#"
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behin…
  tag: v1.4.2

✗ roll out                                                                999ms
  ✗ parallel                                                              999ms
    - web-1 — cancelled                                                   989ms
      ✓ replace                                                           950ms
        ✓ compose.up shop — 1 recreated                                   888ms
      - http_check https://web-1.example.com/health — cancelled            29ms
    ✗ web-2                                                               949ms
      ✗ replace                                                           949ms
        ✗ compose.up shop                                                 937ms
          service `api` did not become healthy within 30s

error: service `api` did not become healthy within 30s

last lines of api:
  Traceback (most recent call last):
    File "main.py", line 3
  KeyError: 'JWT'

health log:
  exit code 22: curl: (22) The requested URL returned error: 503

hint: set `JWT` in .env.prod

failed: deploy.rhai on prod in 999ms at `replace`
        1 call changed something, 1 may have
show more: runbook show 12
           runbook logs 12 --step replace
"#,
    );
}

#[test]
fn events_from_many_threads_never_mix_within_a_line() {
    use runbook::report::{Console, Sink};
    let kept = super::story::Kept::default();
    let console = Console::to(Box::new(kept.clone()), Style::plain());
    std::thread::scope(|scope| {
        for branch in 1..=8 {
            let console = &console;
            scope.spawn(move || {
                let mut story = Story::empty();
                for call in 1..=50 {
                    let path = format!("1.{branch}.{call}");
                    story.read(&path, "disk_free /").noted(&path, "enough");
                }
                story.events.iter().for_each(|event| console.event(&crate::harness::fit(event)));
            });
        }
    });
    let text = kept.text();
    assert_eq!(text.lines().count(), 400);
    let expected = format!("✓ disk_free / — enough{}0ms", " ".repeat(55));
    assert!(text.lines().all(|line| line == expected), "{text}");
}
