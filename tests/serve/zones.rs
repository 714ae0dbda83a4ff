use std::path::Path;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rustix::process::Signal;

use super::{Service, fires, lines, project, wait_until};

#[test]
fn a_service_goes_by_the_rules_of_a_time_zone_that_is_updated_while_it_runs() {
    let project = project("").file("zones/Test/.keep", "");
    let zones = project.path().join("zones");
    let place = |zone: &str| {
        let _ = std::fs::remove_file(zones.join("Test/Place"));
        std::fs::copy(Path::new("/usr/share/zoneinfo").join(zone), zones.join("Test/Place")).unwrap();
    };
    place("Asia/Karachi");
    let project = project.env("TZDIR", zones.to_str().unwrap());
    let at = (Timestamp::now() + SignedDuration::from_secs(12)).to_zoned(TimeZone::UTC).strftime("%FT%T").to_string();
    project.file_now(
        "runbook.toml",
        &format!("[schedule.once]\nrunbook = \"note.rhai\"\nat = [\"{at}\"]\nzone = \"Test/Place\"\n"),
    );
    // There it was that time five hours ago.
    let mut service = Service::start(&project);
    wait_until("it is registered", || {
        super::journal(&project).is_some_and(|log| log.schedules().is_ok_and(|rows| !rows.is_empty()))
    });
    assert!(fires(&project).is_empty());
    place("UTC");
    service.signal(Signal::HUP);
    wait_until("it ran", || lines(&project) == 1);
    service.signal(Signal::TERM);
    service.wait();
    assert_eq!(fires(&project).len(), 1);
}
