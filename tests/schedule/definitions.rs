use jiff::Timestamp;
use runbook::project::ScheduleEntry;
use runbook::schedule::Definition;
use runbook::units::Span;

fn definition(change: impl FnOnce(&mut ScheduleEntry)) -> Definition {
    let mut entry = ScheduleEntry {
        runbook: Some("backup.rhai".into()),
        zone: Some("Europe/Berlin".into()),
        ..ScheduleEntry::default()
    };
    change(&mut entry);
    Definition::new("nightly", entry).unwrap()
}

fn fires(definition: &Definition, after: &str, many: usize) -> Vec<String> {
    let after: Timestamp = after.parse().unwrap();
    let fires = definition.fires_after(after.as_second()).take(many);
    fires.map(|at| Timestamp::from_second(at).unwrap().to_string()).collect()
}

#[test]
fn days_are_left_out_and_bounded_in_the_zone_of_the_schedule() {
    let definition = definition(|entry| {
        entry.cron = Some("30 0 * * *".into());
        entry.from = Some("2026-12-24".into());
        entry.until = Some("2026-12-29".into());
        entry.except = vec!["12-25".into(), "2026-12-27".into()];
    });
    let expected = ["2026-12-23T23:30:00Z", "2026-12-25T23:30:00Z", "2026-12-27T23:30:00Z", "2026-12-28T23:30:00Z"];
    assert_eq!(fires(&definition, "2026-11-01T00:00:00Z", 9), expected);
}

#[test]
fn every_so_often_is_counted_from_a_fixed_moment() {
    let quarters = definition(|entry| entry.every = Some(Span::seconds(900)));
    assert_eq!(fires(&quarters, "2026-11-01T00:07:00Z", 2), ["2026-11-01T00:15:00Z", "2026-11-01T00:30:00Z"]);
    let from = definition(|entry| {
        entry.every = Some(Span::seconds(36 * 3600));
        entry.from = Some("2026-11-02".into());
    });
    assert_eq!(fires(&from, "2026-01-01T00:00:00Z", 2), ["2026-11-01T23:00:00Z", "2026-11-03T11:00:00Z"]);
}

#[test]
fn times_given_one_by_one_fire_once_each_in_order() {
    let once = definition(|entry| entry.at = vec!["2026-12-24T18:00".into(), "2026-12-01T00:00:00Z".into()]);
    assert_eq!(fires(&once, "2026-11-01T00:00:00Z", 9), ["2026-12-01T00:00:00Z", "2026-12-24T17:00:00Z"]);
    assert!(fires(&once, "2027-01-01T00:00:00Z", 1).is_empty());
}

#[test]
fn jitter_is_always_the_same_for_a_name() {
    let jitter = |name: &str| {
        let entry = ScheduleEntry {
            runbook: Some("backup.rhai".into()),
            every: Some(Span::seconds(3600)),
            jitter: Some(Span::seconds(600)),
            ..ScheduleEntry::default()
        };
        Definition::new(name, entry).unwrap().jitter()
    };
    assert_eq!(jitter("a"), jitter("a"));
    let spread: std::collections::BTreeSet<i64> = (0..50).map(|number| jitter(&format!("s{number}"))).collect();
    assert!(spread.len() > 30 && spread.iter().all(|seconds| (0..=600).contains(seconds)), "{spread:?}");
}

#[test]
fn what_a_definition_says_survives_the_ledger() {
    let entry = ScheduleEntry {
        runbook: Some("backup.rhai".into()),
        every: Some(Span::seconds(3661)),
        deadline: Span::seconds(90_061),
        ..ScheduleEntry::default()
    };
    let text = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<ScheduleEntry>(&text).unwrap(), entry);
}
