//! Repositories in a bucket: what is saved is what is restored, by us and by `restic`; whatever the server does, nothing is
//! "ok" that is not the same, and nobody waits long to hear of it.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runbook::drivers::backup::{Access, Location, Repository};
use runbook::drivers::bucket::Keys;
use runbook::primitive::{Failure, FailureKind};
use serde_json::{Value, json};

use super::{PASSWORD, backup, furnish, listing, restore};
use crate::harness::bucket::{Bucket, KEY, REGION, WRITER};
use crate::harness::{Direct, only_at_night, skip};

/// A project whose only repository is in the bucket, empty.
fn site(bucket: &Bucket) -> Direct {
    let direct = Direct::new();
    Repository::init(bucket.location(), PASSWORD).unwrap();
    settle(&direct, bucket, KEY);
    direct
}

fn settle(direct: &Direct, bucket: &Bucket, key: (&str, &str)) {
    let lines = bucket.lines();
    direct.write(
        "runbook.toml",
        &format!(
            "[project]\nname = 'shop'\n[backup.main]\n{lines}password = 'STORE'\n\
             [secrets]\nsources = [{{ from = 'dotenv', file = 'secrets.env' }}]\n"
        ),
    );
    direct.write("secrets.env", &format!("STORE='{PASSWORD}'\nACCESS='{}'\nSECRET='{}'\n", key.0, key.1));
}

fn open(location: Location, access: Access) -> Result<Repository, Failure> {
    Repository::open(location, PASSWORD, access, Arc::new(|| Ok(())))
}

fn ids(bucket: &Bucket) -> Vec<String> {
    let all = open(bucket.location(), Access::Shared).unwrap().snapshots().unwrap();
    all.into_iter().map(|snapshot| snapshot.id).collect()
}

fn restic(direct: &Direct, bucket: &Bucket, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("restic");
    command.args(["--no-cache", "-r", &format!("s3:{}", bucket.url())]).args(arguments).current_dir(direct.path());
    command.envs([("AWS_ACCESS_KEY_ID", KEY.0), ("AWS_SECRET_ACCESS_KEY", KEY.1), ("AWS_DEFAULT_REGION", REGION)]);
    let Ok(output) = command.env("RESTIC_PASSWORD", PASSWORD).output() else {
        skip("restic (apt-get install restic)");
        return None;
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "restic {arguments:?}: {out}{err}");
    Some(out.into_owned())
}

#[test]
fn a_folder_comes_back_from_a_bucket_as_it_was_by_us_and_by_restic() {
    let Some(bucket) = Bucket::new("round") else { return };
    let direct = site(&bucket);
    furnish(&direct);
    // Whoever saves and restores may remove nothing.
    settle(&direct, &bucket, WRITER);
    let first = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    let again = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    assert!(again["added"].as_u64().unwrap() < 100_000, "the rest is there already: {again}");
    let wanted = listing(&direct.path().join("uploads"));
    restore(&direct, first, json!("back"), json!({})).unwrap();
    assert_eq!(listing(&direct.path().join("back")), wanted);
    assert!(open(bucket.location(), Access::Shared).unwrap().check(true).unwrap().errors.is_empty());

    let Some(checked) = restic(&direct, &bucket, &["check", "--read-data"]) else { return };
    assert!(checked.contains("no errors were found"), "{checked}");
    restic(&direct, &bucket, &["restore", again["id"].as_str().unwrap(), "--target", "theirs"]).unwrap();
    assert_eq!(listing(&direct.path().join("theirs/data/uploads")), wanted);
    let alone = open(bucket.location(), Access::Alone).unwrap();
    alone.forget(&[again["id"].as_str().unwrap().to_owned()]).unwrap();
    alone.prune().unwrap();
    drop(alone);
    assert!(restic(&direct, &bucket, &["check", "--read-data"]).unwrap().contains("no errors were found"));
    restic(&direct, &bucket, &["restore", "latest", "--target", "after"]).unwrap();
    assert_eq!(listing(&direct.path().join("after/data/uploads")), wanted);
}

#[test]
fn a_repository_that_restic_made_in_a_bucket_is_restored() {
    let Some(bucket) = Bucket::new("theirs") else { return };
    let direct = Direct::new();
    settle(&direct, &bucket, KEY);
    furnish(&direct);
    if restic(&direct, &bucket, &["init"]).is_none() {
        return;
    }
    restic(&direct, &bucket, &["backup", "--host", "web-1", "uploads"]).unwrap();
    let wanted = listing(&direct.path().join("uploads"));
    let id = ids(&bucket).remove(0);
    restore(&direct, json!(id), json!("back"), json!({ "part": "uploads" })).unwrap();
    assert_eq!(listing(&direct.path().join("back")), wanted);
    // And what is added to it is read by both.
    backup(&direct, json!("uploads"), json!({})).unwrap();
    assert!(restic(&direct, &bucket, &["check", "--read-data"]).unwrap().contains("no errors were found"));
}

#[test]
fn who_removes_things_is_alone_and_a_dead_holder_is_replaced() {
    let Some(bucket) = Bucket::new("lease") else { return };
    let direct = site(&bucket);
    let held = open(bucket.location(), Access::Alone).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for (access, name) in [(Access::Alone, "alone"), (Access::Shared, "shared")] {
            let (order, location) = (Arc::clone(&order), bucket.location());
            scope.spawn(move || {
                let opened = open(location, access).unwrap();
                order.lock().unwrap().push(name);
                drop(opened);
            });
        }
        std::thread::sleep(Duration::from_secs(3));
        order.lock().unwrap().push("first");
        drop(held);
    });
    assert_eq!(order.lock().unwrap()[0], "first", "{order:?}");

    // One whose process died held it.
    let client = bucket.client();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let note =
        json!({ "holder": "x", "boot": boot.trim(), "process": "4194000 1", "token": "x", "count": 3 }).to_string();
    let payload = runbook::drivers::bucket::digest(note.as_bytes());
    client.put("leases/alone", &[note.into()], &payload, false).unwrap();
    let start = Instant::now();
    direct.write("uploads/a", "a");
    backup(&direct, json!("uploads"), json!({})).unwrap();
    drop(open(bucket.location(), Access::Alone).unwrap());
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(client.get("leases/alone").unwrap().is_none(), "it is given back");
}

#[test]
fn what_is_wrong_with_a_bucket_is_said() {
    let Some(bucket) = Bucket::new("wrong") else { return };
    let direct = site(&bucket);
    direct.write("uploads/a", "a");
    let refused = |key: (&str, &str)| {
        settle(&direct, &bucket, key);
        backup(&direct, json!("uploads"), json!({})).unwrap_err()
    };
    let failure = refused((KEY.0, "another secret of a key"));
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(failure.message.contains("answered 403") && failure.message.contains("SignatureDoesNotMatch"), "{failure}");
    assert!(failure.hints[0].contains("secret_key"), "{:?}", failure.hints);
    let failure = refused(("NOBODY", KEY.1));
    assert!(failure.hints[0].contains("does not know this `access_key`"), "{failure:?}");
    let elsewhere = |url: String, region: &str| {
        let place =
            runbook::drivers::bucket::Place::parse(&url, region, runbook::drivers::bucket::Style::Path).unwrap();
        open(Location::Bucket(place, Bucket::keys()), Access::Shared).err().unwrap()
    };
    let failure = elsewhere(bucket.url().replace("backups", "no-such-bucket"), REGION);
    assert!(failure.message.contains("NoSuchBucket"), "{failure:?}");
    let failure = elsewhere(bucket.url(), "mars-1");
    assert!(failure.hints[0].contains("`region`"), "{failure:?}");
    let failure = elsewhere(format!("{}/nothing", bucket.url()), REGION);
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert!(failure.message.contains("there is no repository in"), "{failure:?}");
    let failure = Repository::init(bucket.location(), PASSWORD).unwrap_err();
    assert!(failure.message.contains("there is a repository in"), "{failure:?}");
    let wrong = Keys { access: KEY.0.into(), secret: "x".into() };
    assert_eq!(format!("{wrong:?}"), "keys of TESTKEY", "the secret is in no message");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Backup,
    Restore,
    Check,
}
use What::{Backup, Check, Restore};

/// What is done, what it is done to, what goes wrong how often, and must it still go well?
type Case = (What, &'static str, &'static str, &'static str, u32, Option<bool>);

const ALWAYS: u32 = 1_000_000;

/// Quickly answered, or answered well when it is asked again.
const QUICK: &[Case] = &[
    (Backup, "PUT", "/data/", "403", ALWAYS, Some(false)),
    (Backup, "PUT", "/snapshots/", "403", ALWAYS, Some(false)),
    (Backup, "PUT", "/data/", "503", 2, Some(true)),
    (Backup, "PUT", "/data/", "cut", 1, Some(true)),
    (Backup, "PUT", "/data/", "lost", 1, Some(true)),
    (Backup, "PUT", "/snapshots/", "lost", 1, Some(true)),
    (Backup, "PUT", "/data/", "slow", 1, Some(true)),
    (Backup, "GET", "/index/", "short", 1, Some(false)),
    (Backup, "GET", "/index/", "flip", 1, Some(false)),
    (Backup, "GET", "/config", "flip", 1, Some(false)),
    (Backup, "GET", "prefix=", "short", 1, Some(false)),
    (Backup, "GET", "continuation-token", "403", ALWAYS, Some(false)),
    (Restore, "GET", "/data/", "short", ALWAYS, Some(false)),
    (Restore, "GET", "/data/", "flip", ALWAYS, Some(false)),
    (Restore, "GET", "/data/", "cut", 2, Some(true)),
    (Restore, "GET", "/snapshots/", "short", 1, Some(false)),
    (Check, "GET", "/data/", "flip", ALWAYS, Some(false)),
    (Check, "GET", "continuation-token", "403", ALWAYS, Some(false)),
];

/// Given up when nothing was heard for a while.
const PATIENT: &[Case] = &[
    (Backup, "PUT", "/data/", "dead", ALWAYS, Some(false)),
    (Backup, "PUT", "/snapshots/", "503", ALWAYS, Some(false)),
    (Restore, "GET", "/data/", "dead", ALWAYS, Some(false)),
    (Restore, "GET", "/data/", "cut", ALWAYS, Some(false)),
];

/// A repository to which everything happens.
struct Ground {
    bucket: Bucket,
    direct: Direct,
    /// A snapshot, and what it has to be.
    first: Value,
    wanted: String,
    /// How long it takes when nothing goes wrong.
    usual: Duration,
    round: u32,
}

impl Ground {
    /// With more snapshots than fit on a page, listings have later ones.
    fn new(name: &str, more: u32) -> Option<Self> {
        let bucket = Bucket::new(name)?;
        let direct = site(&bucket);
        furnish(&direct);
        let wanted = listing(&direct.path().join("uploads"));
        let start = Instant::now();
        let first = backup(&direct, json!("uploads"), json!({})).unwrap().value;
        let usual = start.elapsed();
        for number in 0..more {
            direct.write("small/a", &number.to_string());
            backup(&direct, json!("small"), json!({})).unwrap();
        }
        Some(Self { bucket, direct, first, wanted, usual, round: 0 })
    }

    fn is_restored(&self, snapshot: &Value, part: &str, wanted: &str) {
        let target = self.direct.path().join("again");
        let _ = std::fs::remove_dir_all(&target);
        restore(&self.direct, snapshot.clone(), json!("again"), json!({ "part": part })).unwrap();
        assert_eq!(listing(&target), wanted);
    }

    fn stand(&mut self, case: &Case) {
        let (what, method, path, kind, times, must) = *case;
        self.round += 1;
        let (bucket, direct) = (&self.bucket, &self.direct);
        let new: String = (0..20_000_u64).fold(String::new(), |text, n| {
            text + format!("{:x}", n.wrapping_mul(0x9e37_79b9 + u64::from(self.round))).as_str()
        });
        direct.write("fresh/a", &new);
        let (fresh, before, faults) = (listing(&direct.path().join("fresh")), ids(bucket), bucket.faults());
        bucket.rule(method, path, kind, 0, times);
        let start = Instant::now();
        let _ = std::fs::remove_dir_all(direct.path().join("back"));
        let result = match what {
            Backup => backup(direct, json!("fresh"), json!({})).map(|made| Some(made.value)),
            Restore => restore(direct, self.first.clone(), json!("back"), json!({})).map(|_| None),
            Check => open(bucket.location(), Access::Shared).and_then(|repository| repository.check(true)).and_then(
                |found| {
                    let first = found.errors.first().cloned();
                    first.map_or(Ok(None), |text| Err(Failure::new(FailureKind::Check, text)))
                },
            ),
        };
        let took = start.elapsed();
        bucket.heal();
        assert!(bucket.faults() > faults, "{case:?}: nothing went wrong");
        // One who is slow is no fault.
        let is_in_time = took < self.usual + Duration::from_secs(20) || kind == "slow";
        assert!(is_in_time, "{case:?} took {took:?}: {result:?}");
        if let Some(must) = must {
            assert_eq!(result.is_ok(), must, "{case:?}: {result:?}");
        }
        match (result, what) {
            (Ok(Some(made)), _) => self.is_restored(&made, "fresh", &fresh),
            (Ok(None), Restore) => assert_eq!(listing(&direct.path().join("back")), self.wanted, "{case:?}"),
            (Err(failure), Restore) => assert!(!direct.path().join("back").exists(), "{case:?}: {failure:?}"),
            // It may be there and nobody have heard of it; then it is a good one.
            (Err(_), _) => {
                for id in ids(bucket).into_iter().filter(|id| !before.contains(id)) {
                    self.is_restored(&json!(id), "fresh", &fresh);
                }
            }
            _ => {}
        }
    }

    fn ends_well(&self) {
        self.is_restored(&self.first, "uploads", &self.wanted);
        assert!(open(self.bucket.location(), Access::Shared).unwrap().check(true).unwrap().errors.is_empty());
        let _ = restic(&self.direct, &self.bucket, &["check", "--read-data"]);
    }
}

fn stand_all(name: &str, more: u32, cases: &[Case]) {
    let Some(mut ground) = Ground::new(name, more) else { return };
    for case in cases {
        ground.stand(case);
    }
    ground.ends_well();
}

#[test]
fn whatever_a_server_does_is_said_or_made_good() {
    stand_all("faults", 5, QUICK);
}

#[test]
fn a_server_that_is_dead_is_given_up() {
    std::thread::scope(|scope| {
        let number = |case: &Case| PATIENT.iter().position(|other| other == case).unwrap_or_default();
        for case in PATIENT {
            scope.spawn(move || stand_all(&format!("patient-{}", number(case)), 0, &[*case]));
        }
    });
}

/// Every way to fail at every kind of request.
#[test]
fn no_fault_anywhere_makes_a_lie() {
    if !only_at_night() {
        return;
    }
    let mut cases: Vec<Case> = Vec::new();
    for kind in ["403", "500", "503", "slow", "cut", "closed", "lost", "short", "flip", "dead"] {
        for times in [1, ALWAYS] {
            for path in ["/data/", "/index/", "/snapshots/"] {
                if !matches!(kind, "short" | "flip") {
                    cases.push((Backup, "PUT", path, kind, times, None));
                }
                cases.push((Restore, "GET", path, kind, times, None));
            }
            for path in ["/config", "/keys/", "/index/", "prefix=", "continuation-token"] {
                // Nobody notices a letter of a listing that is another.
                if kind == "flip" && path.ends_with(['=', 'n']) {
                    continue;
                }
                // Calls of one process open a repository by its password once.
                if path != "/keys/" {
                    cases.push((Backup, "GET", path, kind, times, None));
                }
                cases.push((Check, "GET", path, kind, times, None));
            }
        }
    }
    let share = cases.len().div_ceil(8);
    std::thread::scope(|scope| {
        for (number, cases) in cases.chunks(share).enumerate() {
            scope.spawn(move || stand_all(&format!("night-{number}"), 6, cases));
        }
    });
}
