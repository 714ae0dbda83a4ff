use jiff::Timestamp;
use runbook::project::{BackupRepository, Made, StaleKind, freshness};

const NOW: &str = "2026-11-29T09:00:00Z";

fn repository(text: &str) -> BackupRepository {
    let file = format!("path = 'store'\npassword = 'P'\n{text}");
    toml::from_str(&file).unwrap()
}

fn made(job: &str, at: &str, bytes: u64) -> Made {
    Made { name: "0123abcd".into(), job: job.into(), at: time(at), bytes, drilled: None, gone: false, partial: false }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn found(repository: &BackupRepository, all: &[Made]) -> Vec<(StaleKind, String)> {
    freshness(repository, all, time(NOW)).into_iter().map(|stale| (stale.kind, stale.text)).collect()
}

#[test]
fn what_is_fresh_large_enough_and_tried_is_no_finding() {
    let repository = repository("max_age = '26h'\nmax_drill_age = '8d'\n[job.shop]\n");
    let mut good = made("shop", "2026-11-29T02:00:00Z", 900);
    good.drilled = Some(time("2026-11-28T02:00:00Z"));
    assert_eq!(found(&repository, &[made("shop", "2026-11-28T02:00:00Z", 1_000), good]), []);
    let unruled = self::repository("");
    assert_eq!(found(&unruled, &[made("shop", "2001-01-01T00:00:00Z", 1)]), []);
}

#[test]
fn each_job_is_held_to_its_own_limits() {
    let repository = repository("max_age = '26h'\n[job.archive]\nmax_age = '40d'\n[job.never]\n");
    let all = [
        made("archive", "2026-11-01T00:00:00Z", 5),
        made("shop", "2026-11-27T00:00:00Z", 5),
        made("shop.before-restore", "2026-01-01T00:00:00Z", 5),
    ];
    let wanted = [
        (StaleKind::Missing, "there is no snapshot of never".to_owned()),
        (StaleKind::TooOld, "the newest snapshot of shop is 57h old, and 26h are allowed".to_owned()),
    ];
    assert_eq!(found(&repository, &all), wanted);
}

#[test]
fn what_shrank_vanished_comes_from_the_future_or_was_never_tried_is_said() {
    let repository = repository("max_drill_age = '7d'\n");
    let mut gone = made("b", "2026-11-28T00:00:00Z", 5_000);
    gone.gone = true;
    let mut drilled = made("d", "2026-11-10T00:00:00Z", 5_000);
    drilled.drilled = Some(time("2026-11-15T09:00:00Z"));
    let all = [
        made("a", "2026-11-28T00:00:00Z", 5_000),
        made("a", "2026-11-29T00:00:00Z", 2_000),
        gone,
        made("b", "2026-11-29T00:00:00Z", 2_000),
        made("c", "2026-11-29T11:00:00Z", 5_000),
        drilled,
        made("e", "2026-11-10T00:00:00Z", 5_000),
    ];
    let wanted = [
        (StaleKind::Shrunk, "the newest snapshot of a has 2.0 KiB, the one before had 4.9 KiB"),
        (StaleKind::Gone, "snapshot 0123abcd of b is gone, and nobody forgot it here"),
        (StaleKind::Future, "the newest snapshot of c is from the future: a clock is wrong"),
        (StaleKind::NotDrilled, "the last restore drill of d was 336h ago, and 168h are allowed"),
        (StaleKind::NotDrilled, "the last restore drill of e never was, and 168h are allowed"),
    ];
    assert_eq!(found(&repository, &all), wanted.map(|(kind, text)| (kind, text.to_owned())));
}
