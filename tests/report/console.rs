use jiff::SignedDuration;
use runbook::journal::{CallState, Event, RunState};
use runbook::primitive::{Effect, LogStream};
use runbook::report::{Console, Sink, Style, Verbosity};
use serde_json::json;

use super::story::{Kept, Story, assert_text, deployment, failed_deployment, health_gate, shown};

#[test]
fn in_a_pipe_each_step_and_each_call_in_it_has_a_line() {
    assert_text(
        &shown(&deployment().events, Style::plain()),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ preflight
  ✓ disk_free / — 34.0 GiB free                                             12ms
  ✓ compose.check_env shop                                                   3ms
✓ preflight                                                                 15ms
▸ pull
  ✓ compose.pull shop — 2 pulled, 1 unchanged                               8.0s
✓ pull                                                                      8.0s
▸ replace
  warning: redis has no health check
  = compose.up shop — unchanged                                             4.1s
✓ replace                                                                   4.1s

ok: deploy.rhai on prod in 12.3s — 1 call changed something, 1 did not
show more: runbook show 12
",
    );
}

#[test]
fn ascii_marks_where_the_locale_knows_no_others() {
    let ascii = Style { unicode: false, ..Style::plain() };
    assert_text(
        &shown(&deployment().events, ascii),
        "
run 12: deploy.rhai on prod - Deploy the shop: back up, migrate, replace behi...
  tag: v1.4.2

> preflight
  + disk_free / - 34.0 GiB free                                             12ms
  + compose.check_env shop                                                   3ms
+ preflight                                                                 15ms
> pull
  + compose.pull shop - 2 pulled, 1 unchanged                               8.0s
+ pull                                                                      8.0s
> replace
  warning: redis has no health check
  = compose.up shop - unchanged                                             4.1s
+ replace                                                                   4.1s

ok: deploy.rhai on prod in 12.3s - 1 call changed something, 1 did not
show more: runbook show 12
",
    );
}

#[test]
fn quiet_says_only_warnings_and_the_summary() {
    assert_text(
        &shown(&deployment().events, Style::plain().verbosity(Verbosity::Quiet)),
        "
warning: redis has no health check
ok: deploy.rhai on prod in 12.3s — 1 call changed something, 1 did not
show more: runbook show 12
",
    );
}

#[test]
fn quiet_still_shows_the_failure_and_its_evidence() {
    assert_text(
        &shown(&failed_deployment().events, Style::plain().verbosity(Verbosity::Quiet)),
        r#"
error: service `api` did not become healthy within 30s
 --> deploy.rhai:9:5
  |
8 | step("replace the running containers", || {
  | ---- called from here
9 |     app.up(#{ wait: "30s" });
  |     ^^^

last lines of api:
  Traceback (most recent call last):
    File "main.py", line 3
  KeyError: 'JWT'

health log:
  exit code 22: curl: (22) The requested URL returned error: 503

hint: set `JWT` in .env.prod

failed: deploy.rhai on prod in 37.6s at `replace the running containers`
        1 undo block put things back
show more: runbook show 12
           runbook logs 12 --step 'replace the running containers'
"#,
    );
}

#[test]
fn verbose_shows_arguments_and_output() {
    assert_text(
        &shown(&deployment().events, Style::plain().verbosity(Verbosity::Verbose)),
        r#"
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ preflight
  ✓ disk_free / — 34.0 GiB free                                             12ms
  ✓ compose.check_env shop                                                   3ms
✓ preflight                                                                 15ms
▸ pull
  ▸ compose.pull shop
      command: ["alembic","upgrade"], timeout: "5m"
    | api: pulling fs layer    5f70bf18a086
  ✓ compose.pull shop — 2 pulled, 1 unchanged                               8.0s
✓ pull                                                                      8.0s
▸ replace
  warning: redis has no health check
  = compose.up shop — unchanged                                             4.1s
      command: ["alembic","upgrade"], timeout: "5m"
✓ replace                                                                   4.1s

ok: deploy.rhai on prod in 12.3s — 1 call changed something, 1 did not
show more: runbook show 12
"#,
    );
}

#[test]
fn a_failure_is_shown_with_its_evidence_its_place_and_what_was_put_back() {
    assert_text(
        &shown(&failed_deployment().events, Style::plain()),
        r#"
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ migrate
  ✓ compose.run api alembic upgrade head                                    2.2s
✓ migrate                                                                   2.2s
▸ replace the running containers
  ✗ compose.up shop                                                        31.2s
    service `api` did not become healthy within 30s
✗ replace the running containers                                           31.2s

putting things back
  ▸ put the previous release back
    ✓ compose.up shop — 2 recreated, 1 unchanged                            4.1s
  ✓ put the previous release back                                           4.1s

error: service `api` did not become healthy within 30s
 --> deploy.rhai:9:5
  |
8 | step("replace the running containers", || {
  | ---- called from here
9 |     app.up(#{ wait: "30s" });
  |     ^^^

last lines of api:
  Traceback (most recent call last):
    File "main.py", line 3
  KeyError: 'JWT'

health log:
  exit code 22: curl: (22) The requested URL returned error: 503

hint: set `JWT` in .env.prod

failed: deploy.rhai on prod in 37.6s at `replace the running containers`
        1 undo block put things back
show more: runbook show 12
           runbook logs 12 --step 'replace the running containers'
"#,
    );
}

#[test]
fn what_a_call_says_of_itself_is_output_and_what_a_script_says_is_not() {
    let mut story = Story::begins("prod");
    story.step("1", "build").log("1", LogStream::Info, "from the script").change("1.1", "docker.build api");
    story.log("1.1", LogStream::Info, "1/3 FROM scratch").changed("1.1", "new image").done("1");
    story.change("2", "sh make").done("2").finishes(RunState::Ok, None, vec![]);
    assert_text(
        &shown(&story.events, Style::plain()),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ build
  info: from the script
  ✓ docker.build api — new image                                             0ms
✓ build                                                                      0ms
✓ sh make                                                                    0ms

ok: deploy.rhai on prod in 0ms — 1 call changed something, 1 may have
show more: runbook show 12
",
    );
}

#[test]
fn a_failed_command_without_evidence_shows_its_last_twenty_lines() {
    let failure = runbook::failure::Failure::new(runbook::failure::FailureKind::Exit, "`make` ended with exit code 2");
    let mut story = Story::begins("");
    story.change("1", "sh make");
    for line in 1..=25 {
        story.log("1", LogStream::Stdout, &format!("\x1b[32mline {line}\x1b[0m"));
    }
    story.fails("1", &failure).finishes(RunState::Failed, Some(failure), vec![]);
    assert_text(
        &shown(&story.events, Style::plain()),
        "
run 12: deploy.rhai — Deploy the shop: back up, migrate, replace behind a healt…
  tag: v1.4.2

✗ sh make                                                                    0ms
  `make` ended with exit code 2

error: `make` ended with exit code 2

last lines of `sh make`:
  line 6
  line 7
  line 8
  line 9
  line 10
  line 11
  line 12
  line 13
  line 14
  line 15
  line 16
  line 17
  line 18
  line 19
  line 20
  line 21
  line 22
  line 23
  line 24
  line 25

failed: deploy.rhai in 0ms — 1 call may have changed something
show more: runbook show 12
",
    );
}

#[test]
fn a_failure_that_was_caught_is_told_at_its_line_and_nowhere_else() {
    let mut story = Story::begins("prod");
    let failure = health_gate();
    story.step("1", "verify").starts("1.1", "retry", "retry", Effect::Flow, json!({ "times": 3 }));
    story.read("1.1.1.1", "http_check http://localhost:8000/health").at(1_000).fails("1.1.1.1", &failure);
    story.log("1.1", LogStream::Warn, "attempt 1 of 3 failed: service `api` did not become healthy within 30s");
    story.read("1.1.2.1", "http_check http://localhost:8000/health").at(2_000).done("1.1.2.1");
    story.noted("1.1", "second attempt").done("1").finishes(RunState::Ok, None, vec![]);
    assert_text(
        &shown(&story.events, Style::plain()),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ verify
  ▸ retry
    [attempt 1] ✗ http_check http://localhost:8000/health                   1.0s
    warning: attempt 1 of 3 failed: service `api` did not become healthy within 30s
    [attempt 2] ✓ http_check http://localhost:8000/health                   1.0s
  ✓ retry — second attempt                                                  2.0s
✓ verify                                                                    2.0s

ok: deploy.rhai on prod in 2.0s — nothing changed
show more: runbook show 12
",
    );
}

#[test]
fn undo_blocks_of_several_hosts_are_counted_together() {
    let failure = runbook::failure::Failure::new(runbook::failure::FailureKind::Thrown, "bad version");
    let mut story = Story::begins("prod");
    story.undo(1).undo(2).finishes(RunState::Failed, Some(failure), vec![]);
    let text = shown(&story.events, Style::plain());
    assert!(text.contains("3 undo blocks put things back"), "{text}");
}

#[test]
fn what_wait_until_tries_is_not_shown() {
    let mut story = Story::begins("prod");
    story.starts("1", "wait_until", "wait_until", Effect::Flow, json!({}));
    for attempt in 1..50 {
        let path = format!("1.{attempt}.1");
        story.at(attempt * 100).read(&path, "http_check http://localhost").fails(&path, &health_gate());
    }
    story.done("1").finishes(RunState::Ok, None, vec![]);
    assert_text(
        &shown(&story.events, Style::plain()),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

✓ wait_until                                                                4.9s

ok: deploy.rhai on prod in 4.9s — nothing changed
show more: runbook show 12
",
    );
}

#[test]
fn an_undo_block_that_fails_says_so_and_the_summary_too() {
    let mut story = failed_deployment();
    story.events.truncate(story.events.len() - 3);
    let failure = runbook::failure::Failure::new(runbook::failure::FailureKind::NotFound, "no image `shop:1`");
    story.at(34_000).fails("undo.1.1", &failure).fails("undo.1", &failure);
    let cause = health_gate().hint(format!("undo `put the previous release back` failed as well: {failure}"));
    story.finishes(RunState::Failed, Some(cause), vec![]);
    assert_text(
        &shown(&story.events, Style::plain()),
        r#"
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ migrate
  ✓ compose.run api alembic upgrade head                                    2.2s
✓ migrate                                                                   2.2s
▸ replace the running containers
  ✗ compose.up shop                                                        31.2s
    service `api` did not become healthy within 30s
✗ replace the running containers                                           31.2s

putting things back
  ▸ put the previous release back
    ✗ compose.up shop                                                      500ms
      no image `shop:1`
  ✗ put the previous release back                                          500ms

error: service `api` did not become healthy within 30s

last lines of api:
  Traceback (most recent call last):
    File "main.py", line 3
  KeyError: 'JWT'

health log:
  exit code 22: curl: (22) The requested URL returned error: 503

hint: set `JWT` in .env.prod
hint: undo `put the previous release back` failed as well: no image `shop:1`

failed: deploy.rhai on prod in 34.0s at `replace the running containers`
        1 of 1 undo block failed: look at the system
show more: runbook show 12
           runbook logs 12 --step 'replace the running containers'
"#,
    );
}

#[test]
fn a_cancelled_run_names_what_was_stopped() {
    let mut story = Story::begins("prod");
    story.step("1", "pull").change("1.1", "compose.pull shop").at(900).cancelled("1.1").cancelled("1");
    let failure = runbook::failure::Failure::new(runbook::failure::FailureKind::Cancelled, "cancelled");
    story.finishes(RunState::Cancelled, Some(failure), vec![]);
    assert_text(
        &shown(&story.events, Style::plain()),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ pull
  - compose.pull shop — cancelled                                          900ms
- pull — cancelled                                                         900ms

cancelled: deploy.rhai on prod in 900ms — 1 call may have changed something
show more: runbook show 12
",
    );
}

#[test]
fn long_titles_are_cut_at_80_columns_and_notes_stay_readable() {
    let mut story = Story::begins("prod");
    let title = "sh rsync --archive --delete --compress /srv/very/long/source/path/ backup@host:/srv/target/";
    story.step("1", "一个非常长的步骤名称一个非常长的步骤名称一个非常长的步骤名称一个非常长的步骤名称");
    story.change("1.1", title).at(61_000).changed("1.1", "copied 1,024 files in 12 folders, skipped 3").done("1");
    story.finishes(RunState::Ok, None, vec![]);
    let text = shown(&story.events, Style::plain());
    assert_text(
        &text,
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ 一个非常长的步骤名称一个非常长的步骤名称一个非常长的步骤名称一个非常长的步骤…
  ✓ sh rsync --archive --delete -… — copied 1,024 files in 12 folders, s…  1m01s
✓ 一个非常长的步骤名称一个非常长的步骤名称一个非常长的步骤名称一个非常长…  1m01s

ok: deploy.rhai on prod in 1m01s — 1 call changed something
show more: runbook show 12
",
    );
    for line in text.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 80, "{line}");
    }
}

#[test]
fn colours_say_nothing_that_is_not_also_written() {
    let colored = shown(&failed_deployment().events, Style { color: true, ..Style::plain() });
    let plain = shown(&failed_deployment().events, Style::plain());
    let sgr = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    assert!(colored.contains("\x1b[1;31m✗\x1b[0m compose.up shop"));
    assert_text(&sgr.replace_all(&colored, ""), &plain);
}

#[test]
fn a_silent_pipe_gets_a_sign_of_life_every_half_minute() {
    let kept = Kept::default();
    let console = Console::to(Box::new(kept.clone()), Style::plain());
    let mut story = Story::begins("prod");
    story.step("1", "replace").change("1.1", "compose.up shop").progress("1.1", "", "waiting until healthy: api", None);
    story.events.iter().for_each(|event| console.event(&crate::harness::fit(event)));
    for seconds in 1..=65 {
        console.tick(story.timestamp() + SignedDuration::from_secs(seconds));
    }
    assert_text(
        &kept.text(),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behind…
  tag: v1.4.2

▸ replace
  ~ compose.up shop — waiting until healthy: api                           30.0s
  ~ compose.up shop — waiting until healthy: api                           1m00s
",
    );
}

#[test]
fn a_line_of_output_cannot_take_over_the_terminal() {
    let mut story = Story::begins("prod");
    story.change("1", "sh evil\x1b[2J").log("1", LogStream::Stdout, "\x1b]0;owned\x07\x1b[1Ahello\r\n");
    story.log("", LogStream::Warn, "bell\x07").changed("1", "no\x1b[5A te").finishes(RunState::Ok, None, vec![]);
    assert!(!shown(&story.events, Style::plain().verbosity(Verbosity::Verbose)).contains(['\x1b', '\x07', '\r']));
}

#[test]
fn events_of_a_call_whose_start_was_not_seen_do_no_harm() {
    let mut story = Story::empty();
    story.log("4.2", LogStream::Stdout, "lost").progress("4.2", "", "pulling", None).undo(0);
    let (state, at) = (CallState::Done, story.timestamp());
    let finished = json!({ "event": "call_finished", "path": "4.2", "state": state, "result": null, "changed": null,
        "note": null, "failure": null, "milliseconds": 3, "at": at });
    story.events.push(serde_json::from_value::<Event>(finished).unwrap());
    assert_text(
        &shown(&story.events, Style::plain()),
        "

putting things back
",
    );
}
