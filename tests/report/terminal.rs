use jiff::SignedDuration;
use runbook::journal::{Event, RunState};
use runbook::primitive::Progress;
use runbook::report::{Console, Sink, Style, Verbosity};

use super::story::{Kept, Story, assert_text, deployment, failed_deployment, sources};

const TERMINAL: Style = Style { terminal: true, ..Style::plain() };

/// What stands on a terminal, scrolled-away lines included, after the console wrote this.
fn standing(written: &str) -> String {
    let mut rows: Vec<String> = vec![String::new()];
    let mut row = 0;
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' => {
                row += 1;
                if row == rows.len() {
                    rows.push(String::new());
                }
            }
            '\r' => {}
            '\x1b' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let (parameter, command) = (rest[1..end].parse::<usize>(), &rest[end..=end]);
                match command {
                    "A" => row -= parameter.unwrap(),
                    "J" => {
                        rows.truncate(row);
                        rows.push(String::new());
                    }
                    "m" => {}
                    other => panic!("the console used an unknown sequence {other}"),
                }
                rest = &rest[end + 1..];
            }
            c => rows[row].push(c),
        }
    }
    rows.join("\n")
}

/// What stands on a terminal after these events.
pub fn screen(events: &[Event], width: usize) -> String {
    let kept = Kept::default();
    let console = Console::to(Box::new(kept.clone()), Style { width, ..TERMINAL }).with_sources(sources());
    for event in events {
        console.event(&crate::harness::fit(event));
    }
    standing(&kept.text())
}

#[test]
fn a_finished_step_stands_above_its_calls_with_its_time() {
    assert_text(
        &screen(&deployment().events, 80),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behin…
  tag: v1.4.2

✓ preflight                                                                15ms
  ✓ disk_free / — 34.0 GiB free                                            12ms
  ✓ compose.check_env shop                                                  3ms
✓ pull                                                                     8.0s
  ✓ compose.pull shop — 2 pulled, 1 unchanged                              8.0s
✓ replace                                                                  4.1s
  warning: redis has no health check
  = compose.up shop — unchanged                                            4.1s

ok: deploy.rhai on prod in 12.3s — 1 call changed something, 1 did not
show more: runbook show 12
",
    );
}

#[test]
fn a_failure_stays_readable_on_a_terminal() {
    assert_text(
        &screen(&failed_deployment().events, 80),
        r#"
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behin…
  tag: v1.4.2

✓ migrate                                                                  2.2s
  ✓ compose.run api alembic upgrade head                                   2.2s
✗ replace the running containers                                          31.2s
  ✗ compose.up shop                                                       31.2s
    service `api` did not become healthy within 30s

putting things back
  ✓ put the previous release back                                          4.1s
    ✓ compose.up shop — 2 recreated, 1 unchanged                           4.1s

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
fn a_running_step_shows_what_each_call_is_doing() {
    let kept = Kept::default();
    let console = Console::to(Box::new(kept.clone()), TERMINAL);
    let mut story = Story::begins("prod");
    story.step("1", "pull").read("1.1", "disk_free /").at(20).noted("1.1", "34.0 GiB free");
    story.change("1.2", "compose.pull shop");
    story.progress("1.2", "api", "pulling", Some((30 << 20, 60 << 20)));
    story.progress("1.2", "bot", "pulling", Some((60 << 20, 60 << 20)));
    story.progress("1.2", "redis", "waiting for the registry", None);
    story.events.iter().for_each(|event| console.event(&crate::harness::fit(event)));
    console.tick(story.timestamp() + SignedDuration::from_millis(4_200));
    assert_text(
        &standing(&kept.text()),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behin…
  tag: v1.4.2

⠹ pull                                                                     4.2s
  ✓ disk_free / — 34.0 GiB free                                            20ms
  ⠹ compose.pull shop — pulling ━━━━━━━━━━━━━━━╌╌╌╌╌ 90.0 of 120.0 MiB     4.2s
    redis: waiting for the registry
",
    );
    drop(console);
    assert_text(
        &standing(&kept.text()),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behin…
  tag: v1.4.2

▸ pull
  ✓ disk_free / — 34.0 GiB free                                            20ms
  ▸ compose.pull shop
",
    );
}

#[test]
fn a_step_longer_than_the_terminal_keeps_what_runs_in_sight() {
    let mut story = Story::begins("prod");
    story.step("1", "copy");
    for call in 1..=40 {
        let path = format!("1.{call}");
        story.change(&path, &format!("file.copy {call}")).changed(&path, "");
    }
    story.change("1.41", "file.copy 41");
    assert_text(
        &screen(&story.events, 80),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behin…
  tag: v1.4.2

  … 20 more lines
⠋ copy                                                                      0ms
  ✓ file.copy 21                                                            0ms
  ✓ file.copy 22                                                            0ms
  ✓ file.copy 23                                                            0ms
  ✓ file.copy 24                                                            0ms
  ✓ file.copy 25                                                            0ms
  ✓ file.copy 26                                                            0ms
  ✓ file.copy 27                                                            0ms
  ✓ file.copy 28                                                            0ms
  ✓ file.copy 29                                                            0ms
  ✓ file.copy 30                                                            0ms
  ✓ file.copy 31                                                            0ms
  ✓ file.copy 32                                                            0ms
  ✓ file.copy 33                                                            0ms
  ✓ file.copy 34                                                            0ms
  ✓ file.copy 35                                                            0ms
  ✓ file.copy 36                                                            0ms
  ✓ file.copy 37                                                            0ms
  ✓ file.copy 38                                                            0ms
  ✓ file.copy 39                                                            0ms
  ✓ file.copy 40                                                            0ms
  ⠋ file.copy 41                                                            0ms
",
    );
    story.changed("1.41", "").done("1").finishes(RunState::Ok, None, vec![]);
    assert_eq!(screen(&story.events, 80).matches("file.copy").count(), 41, "every line is there in the end");
}

#[test]
fn a_narrow_terminal_is_never_wrapped_by_a_moving_line() {
    let mut story = Story::begins("prod");
    story.step("1", "replace the running containers").change("1.1", "compose.up shop");
    story.progress("1.1", "api", "waiting until healthy, the last answer was 503 Service Unavailable", None);
    story.progress("1.1", "", "starting", Some((3, 5)));
    let kept = Kept::default();
    let console = Console::to(Box::new(kept.clone()), Style { width: 40, ..TERMINAL });
    story.events.iter().for_each(|event| console.event(&crate::harness::fit(event)));
    console.tick(story.timestamp() + SignedDuration::from_secs(75));
    assert_text(
        &standing(&kept.text()),
        "
run 12: deploy.rhai on prod — Deploy t…
  tag: v1.4.2

⠋ replace the running containers  1m15s
  ⠋ compose.up s… — starting ━━…  1m15s
    api: waiting until healthy, the la…
",
    );
}

#[test]
fn verbose_on_a_terminal_keeps_one_moving_line_below_the_output() {
    let kept = Kept::default();
    let console = Console::to(Box::new(kept.clone()), TERMINAL.verbosity(Verbosity::Verbose));
    deployment().events[..9].iter().for_each(|event| console.event(&crate::harness::fit(event)));
    assert_text(
        &standing(&kept.text()),
        "
run 12: deploy.rhai on prod — Deploy the shop: back up, migrate, replace behin…
  tag: v1.4.2

▸ preflight
  ✓ disk_free / — 34.0 GiB free                                            12ms
  ✓ compose.check_env shop                                                  3ms
✓ preflight                                                                15ms
▸ pull
⠋ compose.pull shop                                                         0ms
",
    );
}

#[test]
fn nothing_is_written_while_a_question_is_open() {
    let kept = Kept::default();
    let console = Console::to(Box::new(kept.clone()), TERMINAL);
    let story = deployment();
    story.events[..3].iter().for_each(|event| console.event(&crate::harness::fit(event)));
    let paused = console.pause();
    let before = kept.text();
    story.events[3..].iter().for_each(|event| console.event(&crate::harness::fit(event)));
    assert_eq!(kept.text(), before);
    drop(paused);
    assert_text(&standing(&kept.text()), &screen(&story.events, 80));
}

#[test]
fn what_takes_long_says_how_far_it_is_and_how_long_it_still_takes() {
    let progress = |total, seconds_left| Progress {
        doing: "saving".into(),
        current: Some(90 << 20),
        total,
        seconds_left,
        ..Progress::default()
    };
    for (progress, words) in [
        (progress(Some(120 << 20), Some(125)), "saving ━━━━━━━━━━━━━━━╌╌╌╌╌ 90.0 of 120.0 MiB, 2m05s left"),
        (progress(Some(120 << 20), None), "saving ━━━━━━━━━━━━━━━╌╌╌╌╌ 90.0 of 120.0 MiB "),
        (progress(None, None), "saving 90.0 MiB "),
    ] {
        let kept = Kept::default();
        let console = Console::to(Box::new(kept.clone()), TERMINAL);
        let mut story = Story::begins("prod");
        story.change("1", "backup");
        story.push(Event::Progress { path: "1".into(), progress });
        story.events.iter().for_each(|event| console.event(&crate::harness::fit(event)));
        console.tick(story.timestamp() + SignedDuration::from_millis(4_200));
        assert!(standing(&kept.text()).contains(words), "{}", standing(&kept.text()));
        // What is told elsewhere leaves nothing here.
        console.forget();
        assert!(!standing(&kept.text()).contains("saving"), "{}", standing(&kept.text()));
    }
}
