//! Which snapshots stay: against a model that is as simple as it is slow, and against `restic` itself.

use std::collections::BTreeSet;
use std::process::Command;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use runbook::project::{Candidate, Keep, Reach, Signs, doubt};
use serde_json::Value;

use crate::harness::{Project, skip};

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// For each rule: all snapshots in groups by how their time reads, the newest of each group, the newest groups.
fn model(keep: &Keep, days: &[(&str, u32, Option<i64>)], job: &[(Zoned, Vec<String>, bool)]) -> BTreeSet<usize> {
    let mut newest_first: Vec<usize> = (0..job.len()).collect();
    newest_first.sort_by_key(|place| std::cmp::Reverse(job[*place].0.timestamp()));
    let Some(latest) = newest_first.first().map(|place| job[*place].0.timestamp()) else { return BTreeSet::new() };
    let mut kept = BTreeSet::from([newest_first[0]]);
    kept.extend(newest_first.iter().find(|place| job[**place].2));
    kept.extend((0..job.len()).filter(|place| job[*place].1.iter().any(|tag| keep.tags.contains(tag))));
    for (format, count, within) in days {
        let mut seen = Vec::new();
        for place in &newest_first {
            let (time, ..) = &job[*place];
            let group = if format.is_empty() { place.to_string() } else { time.strftime(format).to_string() };
            let is_far = within.is_some_and(|days| latest.duration_since(time.timestamp()).as_hours() >= days * 24);
            if !is_far && !seen.contains(&group) {
                seen.push(group);
                let counts = within.is_some() || seen.len() <= *count as usize;
                kept.extend(counts.then_some(*place));
            }
        }
    }
    kept
}

#[test]
fn ten_thousand_random_histories_are_kept_as_a_simple_model_keeps_them() {
    let formats = ["", "%Y-%m-%d %H", "%Y-%m-%d", "%G-%V", "%Y-%m", "%Y"];
    let zones = ["UTC", "Europe/Berlin", "America/New_York"].map(|name| TimeZone::get(name).unwrap());
    let mut dice = Dice(20_261_129);
    let (mut forgotten, mut kept) = (0, 0);
    for _ in 0..10_000 {
        let zone = &zones[usize::try_from(dice.roll(3)).unwrap()];
        // From minutes to years apart, around the turn of a year.
        let width = [3_600, 86_400, 20 * 86_400, 900 * 86_400][usize::try_from(dice.roll(4)).unwrap()];
        let start: Timestamp = "2026-12-31T12:00:00Z".parse().unwrap();
        let mut times = BTreeSet::new();
        for _ in 0..dice.roll(40) {
            times.insert(i64::try_from(dice.roll(width)).unwrap() - i64::try_from(width).unwrap() / 2);
        }
        let job: Vec<(Zoned, Vec<String>, bool)> = times
            .into_iter()
            .map(|offset| {
                let tags = if dice.roll(8) == 0 { vec!["pinned".to_owned()] } else { Vec::new() };
                ((start + offset.seconds()).to_zoned(zone.clone()), tags, dice.roll(20) == 0)
            })
            .collect();
        let mut counts = [0u32; 6];
        let mut reaches = [None; 6];
        for place in 0..6 {
            if dice.roll(3) == 0 {
                counts[place] = u32::try_from(dice.roll(9)).unwrap();
            }
            // A day that is not 24 hours long is what the model does not know.
            if dice.roll(4) == 0 && zone == &TimeZone::UTC {
                reaches[place] = Some(i64::try_from(dice.roll(60)).unwrap() + 1);
            }
        }
        let reach = |place: usize| reaches[place].map(|days| Reach::parse(&format!("{days}d")).unwrap());
        let keep = Keep {
            last: counts[0],
            hourly: counts[1],
            daily: counts[2],
            weekly: counts[3],
            monthly: counts[4],
            yearly: counts[5],
            within: reach(0),
            within_hourly: reach(1),
            within_daily: reach(2),
            within_weekly: reach(3),
            within_monthly: reach(4),
            within_yearly: reach(5),
            tags: if dice.roll(2) == 0 { vec!["pinned".to_owned()] } else { Vec::new() },
        };
        if keep.is_empty() {
            continue;
        }
        let rules: Vec<(&str, u32, Option<i64>)> = formats
            .iter()
            .zip(counts)
            .map(|(format, count)| (*format, count, None))
            .chain(formats.iter().zip(reaches).filter_map(|(format, days)| Some((*format, 0, Some(days?)))))
            .collect();
        let candidates: Vec<_> =
            job.iter().map(|(time, tags, verified)| Candidate { time, tags, verified: *verified }).collect();
        let decided = keep.decide(&candidates);
        assert!(decided.iter().all(|verdict| verdict.is_kept() == verdict.dropped_by.is_empty()), "each is explained");
        let ours: BTreeSet<usize> = (0..job.len()).filter(|place| decided[*place].is_kept()).collect();
        assert_eq!(ours, model(&keep, &rules, &job), "{keep:?} of {job:#?}");
        forgotten += job.len() - ours.len();
        kept += ours.len();
    }
    assert!(forgotten > 20_000 && kept > 20_000, "{forgotten} forgotten, {kept} kept: both must be tried");
}

#[test]
fn a_month_before_the_last_of_march_is_as_for_restic() {
    let times = ["2026-03-02T12:00:00+00:00[UTC]", "2026-03-03T12:00:01+00:00[UTC]", "2026-03-31T12:00:00+00:00[UTC]"];
    let times = times.map(|time| time.parse::<Zoned>().unwrap());
    let keep = Keep { within: Some(Reach::parse("1m").unwrap()), ..Keep::default() };
    let candidates = [0, 1, 2].map(|place: usize| Candidate { time: &times[place], tags: &[], verified: false });
    let decided: Vec<_> = keep.decide(&candidates).into_iter().map(|verdict| verdict.kept_by).collect();
    assert_eq!(decided, [vec![], vec!["within".to_owned()], vec!["the newest".to_owned(), "within".to_owned()]]);
}

#[test]
fn a_stretch_without_a_unit_is_refused() {
    for text in ["", "7", "d", "7w", "1y6", "-1d", "99999999d"] {
        assert!(Reach::parse(text).unwrap_err().starts_with(&format!("`{text}` is not a stretch of time")));
    }
}

/// Without rules nothing is forgotten.
#[test]
fn no_rules_keep_everything() {
    let time: Zoned = "2020-01-01T00:00:00+00:00[UTC]".parse().unwrap();
    let decided = Keep::default().decide(&[Candidate { time: &time, tags: &[], verified: false }]);
    assert_eq!(decided[0].kept_by, ["no rules"]);
}

#[test]
fn each_decision_names_its_rules() {
    let times = ["2026-03-01T08:00:00", "2026-03-09T08:00:00", "2026-03-09T09:00:00", "2026-03-10T08:00:00"];
    let times = times.map(|time| format!("{time}+00:00[UTC]").parse::<Zoned>().unwrap());
    let keep = Keep { daily: 2, within_weekly: Some(Reach::parse("7d").unwrap()), ..Keep::default() };
    let of = |verified: usize| {
        let candidates: Vec<_> = (0..4)
            .map(|place: usize| Candidate { time: &times[place], tags: &[], verified: place == verified })
            .collect();
        keep.decide(&candidates)
    };
    let decided = of(9);
    assert_eq!(decided[3].kept_by, ["the newest", "daily", "within_weekly"]);
    assert_eq!(decided[2].kept_by, ["daily"]);
    assert_eq!(
        decided[1].dropped_by,
        ["daily: a newer one is kept for the same time", "within_weekly: a newer one is kept for the same time"]
    );
    assert_eq!(decided[0].dropped_by, ["daily: 2 newer ones are kept", "within_weekly: older than 7d"]);
    assert_eq!(of(0)[0].kept_by, ["the last verified"]);
}

#[test]
fn nothing_is_forgotten_after_a_failed_run_or_by_a_wrong_clock() {
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let daily = || ["2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z", "2026-03-03T08:00:00Z"].map(time).to_vec();
    let signs = |now: &str| Signs { now: time(now), ..Signs::default() };
    assert_eq!(doubt(daily(), &signs("2026-03-03T08:05:00Z")), None);
    assert_eq!(doubt(daily(), &signs("2027-03-03T08:05:00Z")), None, "a job that no longer runs loses nothing");
    let failed = Signs { failed: Some(7), ..signs("2026-03-03T08:05:00Z") };
    assert_eq!(doubt(daily(), &failed).unwrap(), "its last backup failed (run 7)");
    assert_eq!(
        doubt(daily(), &signs("2026-03-02T23:00:00Z")).unwrap(),
        "its newest snapshot is from the future (2026-03-03 08:00 UTC): a clock is wrong"
    );
    let set_back = Signs { noted: Some(time("2026-04-01T00:00:00Z")), ..signs("2026-03-03T08:05:00Z") };
    assert_eq!(
        doubt(daily(), &set_back).unwrap(),
        "the clock shows an earlier time than it did (2026-04-01 00:00 UTC): it was set back"
    );
    let mut leapt = daily();
    leapt.push(time("2031-03-04T08:00:00Z"));
    assert_eq!(
        doubt(leapt.clone(), &signs("2031-03-04T08:05:00Z")).unwrap(),
        "its newest snapshot is 1827 days after the one before: was the clock right?"
    );
    leapt.push(time("2031-03-05T08:00:00Z"));
    assert_eq!(doubt(leapt, &signs("2031-03-05T08:05:00Z")), None, "the next one says the same");
}

fn restic(project: &Project, arguments: &[&str]) -> String {
    let mut command = Command::new("restic");
    command.args(arguments).current_dir(project.path()).env("RESTIC_PASSWORD", "a long password");
    let output = command.env("RESTIC_REPOSITORY", "store").env("TZ", "UTC").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_restic_made_is_kept_as_restic_would_keep_it() {
    if Command::new("restic").arg("version").output().is_err() {
        return skip("restic (apt-get install restic)");
    }
    let mut project = Project::new().file("data/a", "a").env("TZ", "UTC").env("STORE_PASSWORD", "a long password");
    restic(&project, &["init", "-q"]);
    let times = [
        "2024-12-30 23:59:59",
        "2025-06-30 00:00:00",
        "2025-12-29 06:00:00",
        "2025-12-31 23:00:00",
        "2026-01-01 01:00:00",
        "2026-01-04 12:00:00",
        "2026-01-31 12:00:00",
        "2026-02-27 12:00:00",
        "2026-03-01 00:00:00",
        "2026-03-02 12:00:00",
        "2026-03-30 00:30:00",
        "2026-03-30 23:30:00",
        "2026-03-31 09:15:00",
        "2026-03-31 09:45:00",
        "2026-03-31 12:00:00",
    ];
    for time in times {
        restic(&project, &["backup", "-q", "--time", time, "data"]);
    }
    let policies: [(&str, &[&str]); 6] = [
        ("last = 2", &["--keep-last", "2"]),
        ("hourly = 3, daily = 3", &["--keep-hourly", "3", "--keep-daily", "3"]),
        ("weekly = 5, yearly = 2", &["--keep-weekly", "5", "--keep-yearly", "2"]),
        ("monthly = 4", &["--keep-monthly", "4"]),
        (
            "within_daily = '30d', within_weekly = '90d', within_monthly = '1y'",
            &["--keep-within-daily", "30d", "--keep-within-weekly", "90d", "--keep-within-monthly", "1y"],
        ),
        ("within = '1m', within_yearly = '1y6m'", &["--keep-within", "1m", "--keep-within-yearly", "1y6m"]),
    ];
    for (keep, rules) in policies {
        project = project.file(
            "runbook.toml",
            &format!("[backup.store]\npath = 'store'\npassword = 'STORE_PASSWORD'\nkeep = {{ {keep} }}\n"),
        );
        let theirs = restic(&project, &[&["forget", "--dry-run", "--json", "--no-lock"], rules].concat());
        // Debian's writes the decision about a group as one line, and words about a dry run around it.
        let line = theirs.lines().find(|line| line.starts_with('[')).unwrap();
        let groups: Value = serde_json::from_str(line).unwrap();
        let theirs: BTreeSet<String> = groups[0]["keep"]
            .as_array()
            .unwrap()
            .iter()
            .map(|snapshot| snapshot["id"].as_str().unwrap_or_default().to_owned())
            .collect();
        let ran = project.runbook(&["backup", "forget", "--dry-run", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let ours: Value = serde_json::from_str(&ran.stdout).unwrap();
        let is_kept = |decision: &&Value| !decision["kept_by"].as_array().unwrap().is_empty();
        let kept = ours.as_array().unwrap().iter().filter(is_kept);
        let ours: BTreeSet<String> = kept.map(|decision| decision["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ours, theirs, "keep = {{ {keep} }}");
    }
}
