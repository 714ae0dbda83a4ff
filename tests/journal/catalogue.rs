use jiff::{Timestamp, ToSpan};
use runbook::journal::Journal;
use runbook::primitive::{Catalogue, Catalogued, Drill, Proof, ProofKind, Reading, parts_due};
use rusqlite::Connection;

fn row(id: &str, at: &str) -> Catalogued {
    Catalogued {
        id: id.repeat(64),
        job: "shop".into(),
        host: "web-1".into(),
        at: at.parse().unwrap(),
        tags: vec!["nightly".into()],
        files: 3,
        bytes: 1_000,
        added: 10,
        milliseconds: 1_500,
        parts: Vec::new(),
        proofs: Vec::new(),
        copies: Vec::new(),
        gone: false,
    }
}

fn names(journal: &Journal) -> Vec<(String, bool)> {
    journal.snapshots("main").unwrap().into_iter().map(|row| (row.id[..1].to_owned(), row.gone)).collect()
}

#[test]
fn what_is_there_is_noted_and_what_vanishes_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let (a, b) = (row("a", "2026-11-01T02:00:00Z"), row("b", "2026-11-02T02:00:00Z"));
    journal.note_snapshots("main", &[b.clone(), a.clone()], &[], Timestamp::MIN).unwrap();
    assert_eq!(journal.snapshots("main").unwrap(), [a.clone(), b.clone()], "as it was noted, the oldest first");
    assert!(journal.snapshots("other").unwrap().is_empty());

    let proof = Proof { how: ProofKind::Drilled, at: "2026-11-03T02:00:00Z".parse().unwrap() };
    journal.note_proof("main", &[&a.id], proof).unwrap();
    journal.note_copy("main", &a.id, "offsite").unwrap();
    journal.note_copy("main", &a.id, "offsite").unwrap();
    let noted = journal.snapshots("main").unwrap();
    assert_eq!((noted[0].proven(), &noted[0].copies), (Some(proof), &vec!["offsite".to_owned()]));

    // Listed before `b` was noted: that it is not in that list says nothing.
    let before = Timestamp::now() - 1.hour();
    journal.note_snapshots("main", &[], &[&a.id], before).unwrap();
    assert_eq!(names(&journal), [("a".into(), false), ("b".into(), false)]);
    journal.note_snapshots("main", &[], &[&a.id], Timestamp::now()).unwrap();
    assert_eq!(names(&journal), [("a".into(), false), ("b".into(), true)]);
    journal.note_snapshots("main", &[], &[&a.id, &b.id], Timestamp::now()).unwrap();
    assert_eq!(names(&journal), [("a".into(), false), ("b".into(), false)], "a share that was away is back");

    journal.rebuild("main", &[row("a", "2026-11-01T02:00:00Z")]).unwrap();
    assert_eq!(names(&journal), [("a".into(), false)]);
    assert_eq!(journal.snapshots("main").unwrap()[0].proven(), Some(proof), "what was proven stays known");
    journal.drop_proofs("main", &[&a.id]).unwrap();
    assert_eq!(journal.snapshots("main").unwrap()[0].proven(), None);
    journal.drop_snapshots("main", &[&a.id]).unwrap();
    assert!(names(&journal).is_empty());
}

#[test]
fn a_catalogue_that_was_altered_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    journal.note_snapshots("main", &[row("a", "2026-11-01T02:00:00Z")], &[], Timestamp::MIN).unwrap();
    journal.note_reading("main", Reading { part: 4, at: Timestamp::now(), round: None }).unwrap();
    assert!(journal.verify_all().unwrap().is_whole());
    let file = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    file.execute_batch("UPDATE snapshot SET proofs = '[{\"how\":\"drilled\",\"at\":\"2026-11-01T02:00:00Z\"}]'")
        .unwrap();
    file.execute_batch("UPDATE reading SET part = 5").unwrap();
    let problems = journal.verify_all().unwrap().problems;
    let wanted = ["row 1 of the catalogue of backups was altered", "how far the repository main was read was altered"];
    assert!(wanted.iter().all(|wanted| problems.iter().any(|problem| problem == wanted)), "{problems:?}");
}

#[test]
fn all_data_is_read_in_a_month_whatever_days_are_left_out() {
    let start: Timestamp = "2026-11-01T03:00:00Z".parse().unwrap();
    assert_eq!(parts_due(None, start), [0]);
    let of = |part: u32, hours: i64| parts_due(Some(Reading { part, at: start, round: None }), start + hours.hours());
    assert_eq!(of(4, 24), [5]);
    assert_eq!(of(4, 23), [5], "an hour early by a random delay");
    assert_eq!(of(4, 1), [5], "asked for twice on a day");
    assert_eq!(of(28, 72), [29, 0, 1], "for each day that was left out");
    assert_eq!(of(4, 9_999).len(), 30);
    for step in [24, 25, 60, 100, 700] {
        let (mut seen, mut reading, mut hours) = (std::collections::BTreeSet::new(), None, 0);
        while hours <= 31 * 24 + step {
            let now = start + hours.hours();
            let parts = parts_due(reading, now);
            reading = parts.last().map(|part| Reading { part: *part, at: now, round: None });
            seen.extend(parts);
            hours += step;
        }
        assert_eq!(seen.len(), 30, "every {step} hours");
    }
}

#[test]
fn a_round_that_was_read_without_a_gap_proves_what_was_there_when_it_began() {
    let at = |day: i64| "2026-11-01T03:00:00Z".parse::<Timestamp>().unwrap() + (day * 24).hours();
    let (mut reading, mut proven) = (None, Vec::new());
    for day in 0..90 {
        let (after, complete) = Reading::after(reading, &parts_due(reading, at(day)), at(day)).unwrap();
        proven.extend(complete.map(|began| (day, began)));
        // What is damaged is read again, and the round begins anew.
        reading = Some(if day == 40 { Reading { round: None, ..after } } else { after });
    }
    assert_eq!(proven, [(29, at(0)), (89, at(60))]);
    // Days that were left out are made up for.
    let part = Some(Reading { part: 27, at: at(0), round: Some(at(-27)) });
    let (after, complete) = Reading::after(part, &parts_due(part, at(4)), at(4)).unwrap();
    assert_eq!((after.part, after.round, complete), (1, Some(at(4)), Some(at(-27))));

    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    for round in [Some(at(1)), None, Some(at(2))] {
        let noted = Reading { part: 4, at: at(3), round };
        journal.note_reading("main", noted).unwrap();
        assert_eq!(journal.reading("main").unwrap(), Some(noted));
    }
    assert!(journal.verify_all().unwrap().is_whole());
    let file = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    file.execute_batch("UPDATE reading_round SET began = 5").unwrap();
    let problems = journal.verify_all().unwrap().problems;
    assert_eq!(problems, ["since when the repository main is read was altered"]);
}

#[test]
fn drills_are_kept_once_each_and_noticed_when_altered() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let drill = |name: &str, at: &str, ok: bool| Drill {
        name: name.into(),
        repository: "main".into(),
        job: "shop".into(),
        snapshot: "a".repeat(64),
        run: 7,
        at: at.parse().unwrap(),
        ok,
        failure: String::new(),
        recovery_time: 1_500,
        recovery_point: 3_600,
        evidence: serde_json::json!({ "drill": name, "phases": [1, 2] }),
    };
    let (first, second) = (drill("a", "2026-11-01T05:00:00Z", true), drill("b", "2026-11-08T05:00:00Z", false));
    for one in [&second, &first, &drill("a", "2026-11-09T05:00:00Z", false)] {
        journal.note_drill(one).unwrap();
    }
    assert_eq!(journal.drills("main").unwrap(), [first, second], "the oldest first, and the first of a name");
    assert!(journal.drills("other").unwrap().is_empty());
    assert!(journal.verify_all().unwrap().is_whole());
    let file = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    file.execute_batch("UPDATE drill SET ok = 1 WHERE name = 'b'").unwrap();
    let problems = journal.verify_all().unwrap().problems;
    assert!(problems.iter().any(|problem| problem == "row 1 of the restore drills was altered"), "{problems:?}");
}
