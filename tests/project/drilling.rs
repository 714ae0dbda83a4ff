use jiff::Timestamp;
use runbook::project::{BackupRepository, Drilled, StaleKind, drill_findings};

fn drill(job: &str, day: u32, ok: bool, seconds: u64) -> Drilled {
    Drilled {
        job: job.to_owned(),
        at: format!("2026-11-{day:02}T05:00:00Z").parse::<Timestamp>().unwrap(),
        ok,
        failure: if ok { String::new() } else { "no customers".to_owned() },
        recovery_time: seconds * 1000,
    }
}

#[test]
fn the_newest_drill_of_each_job_is_measured_against_its_budget() {
    let text = "path = 'store'\npassword = 'P'\nrecovery_time = '1m'\n[job.large]\nrecovery_time = '1h'\ndrill = 'drill.rhai'\n";
    let repository: BackupRepository = toml::from_str(text).unwrap();
    assert_eq!(repository.drill_of("large").unwrap().to_str(), Some("drill.rhai"));
    assert!(repository.drill_of("shop").is_none());
    let all = [
        drill("shop", 1, false, 10),
        drill("shop", 8, true, 61),
        drill("large", 8, true, 3599),
        drill("quick", 2, true, 500),
        drill("quick", 9, true, 60),
        drill("lost", 8, true, 10),
        drill("lost", 9, false, 0),
    ];
    let found: Vec<_> = drill_findings(&repository, &all).into_iter().map(|stale| (stale.kind, stale.text)).collect();
    let wanted = [
        (StaleKind::DrillFailed, "the last restore drill of lost failed: no customers"),
        (StaleKind::SlowDrill, "the last restore drill of shop took 61s, and 1m are allowed"),
    ];
    assert_eq!(found, wanted.map(|(kind, text)| (kind, text.to_owned())));
}
