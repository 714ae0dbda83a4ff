//! What travels keeps to the pace that the project says, and how far it is is told meanwhile.

use std::time::{Duration, Instant};

use runbook::drivers::backup::{Location, Repository};
use runbook::primitive::target_named;
use runbook::project::ProjectFile;
use serde_json::json;

use super::lies::noise;
use super::{PASSWORD, backup, restore};
use crate::harness::Direct;
use crate::harness::bucket::{Bucket, KEY};
use crate::harness::sshd::Sshd;

/// What is saved, and in how many seconds it may travel.
const BYTES: usize = 3 << 20;
const SECONDS: u64 = 3;
const LIMITS: &str = "limit_upload = '1MiB'\nlimit_download = '1MiB'\n";

fn project(direct: &Direct, lines: &str, more: &str) {
    direct.write(
        "runbook.toml",
        &format!(
            "[project]\nname = 'shop'\n[backup.main]\n{lines}password = 'STORE'\n\
             [secrets]\nsources = [{{ from = 'dotenv', file = 'secrets.env' }}]\n{more}"
        ),
    );
    direct.write("secrets.env", &format!("STORE='{PASSWORD}'\nACCESS='{}'\nSECRET='{}'\n", KEY.0, KEY.1));
}

/// Saves and restores, and holds both to the limit: it takes as long as it has to, and not many times longer.
fn is_paced(direct: &Direct) {
    std::fs::create_dir_all(direct.path().join("uploads")).unwrap();
    std::fs::write(direct.path().join("uploads/noise"), noise(7, BYTES)).unwrap();
    let in_time = |what: &str, start: Instant| {
        let took = start.elapsed();
        // The first piece waits for nobody.
        let least = Duration::from_secs(SECONDS).mul_f64(0.95);
        assert!(took > least && took < least * 10, "{what}: {took:?}");
    };
    let start = Instant::now();
    let made = backup(direct, json!("uploads"), json!({})).unwrap().value;
    in_time("saved", start);
    let start = Instant::now();
    restore(direct, made, json!("back"), json!({})).unwrap();
    in_time("restored", start);
    assert!(std::fs::read(direct.path().join("back/noise")).unwrap() == noise(7, BYTES));
    let told = direct.reached();
    for doing in ["saving", "restoring"] {
        let all: Vec<_> = told.iter().filter(|one| one.doing == doing).collect();
        assert!(all.iter().any(|one| one.total == Some(BYTES as u64)), "{doing}: {told:?}");
        assert!(all.iter().all(|one| one.current.unwrap() <= BYTES as u64), "{doing}: {told:?}");
    }
}

#[test]
fn a_bucket_gets_and_gives_no_more_than_it_may() {
    let Some(bucket) = Bucket::new("paced") else { return };
    Repository::init(bucket.location(), PASSWORD).unwrap();
    let direct = Direct::new();
    project(&direct, &format!("{}{LIMITS}", bucket.lines()), "");
    is_paced(&direct);
}

#[test]
fn a_host_gets_and_gives_no_more_than_it_may() {
    let Some(host) = Sshd::start() else { return };
    let store = host.file("store").display().to_string();
    let direct = Direct::new();
    let (lines, entry) = (format!("host = 'web-1'\npath = '{store}'\n"), host.entry("web-1"));
    project(&direct, &format!("{lines}{LIMITS}"), &entry);
    let text = std::fs::read_to_string(direct.path().join("runbook.toml")).unwrap();
    let target = target_named(&ProjectFile::parse(&text, "shop").unwrap(), "web-1").unwrap();
    Repository::init(Location::Host(Box::new(target), store), PASSWORD).unwrap();
    is_paced(&direct);
}
