//! The same questions to Debian's cron and to us: its own parser, matching and main loop answer, built from its source
//! package.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use runbook::schedule::{DstPolicy, Expression, Fires, Zone};

use super::expressions::{Dice, expression};
use crate::harness;

const HOUR: i64 = 3600;

/// Expressions that meet what happens in the small hours, besides the random ones.
const NIGHTLY: &[&str] = &[
    "30 2 * * *",
    "0 0 * * *",
    "15 0 * * *",
    "*/20 * * * *",
    "0 1-3 * * *",
    "5,35 2 * * *",
    "@hourly",
    "@daily",
    "0 */2 * * *",
    "* 2 * * *",
    "59 23 * * *",
    "10 0-4 13 * 5",
];

/// Expressions asked in one zone about one stretch of time.
struct Window {
    zone: String,
    from: i64,
    until: i64,
    expressions: Vec<String>,
}

/// The oracle, built when it is not there yet; none where that is not possible.
fn oracle() -> Option<PathBuf> {
    let folder = std::env::temp_dir().join("runbook-tests-debian-cron");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schedule/debian/build.sh");
    let built =
        Command::new("flock").arg("/tmp/runbook-tests-debian-cron.lock").arg(script).arg(&folder).output().ok()?;
    if !built.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&built.stderr));
        harness::skip("the source package of Debian's cron (apt-get source, a C compiler)");
        return None;
    }
    Some(folder.join("oracle"))
}

/// What Debian's cron says, in the order of the expressions: the moments, or none when it refuses the expression.
fn ask(oracle: &Path, windows: &[Window]) -> Vec<Option<Vec<i64>>> {
    let mut child = Command::new(oracle).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut text = String::new();
    for window in windows {
        text.push_str(&format!("W {} {} {}\n", window.from, window.until, window.zone));
        window.expressions.iter().for_each(|expression| text.push_str(&format!("E {expression}\n")));
        text.push_str(".\n");
    }
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let answer = |line: &str| {
        let moments = line.strip_prefix("ok")?;
        Some(moments.split_whitespace().map(|moment| moment.parse().unwrap()).collect())
    };
    String::from_utf8(output.stdout).unwrap().lines().map(answer).collect()
}

/// What we say.
fn answer(window: &Window, expression: &str) -> Option<Vec<i64>> {
    let zone = Zone::named(&window.zone).unwrap();
    match Expression::parse(expression) {
        Ok(expression) => {
            let fires = Fires::after(&expression, &zone, DstPolicy::Debian, window.from - 1);
            Some(fires.take_while(|moment| *moment < window.until).collect())
        }
        // What never fires is refused here; Debian's cron takes it and never runs it.
        Err(problem) if problem.message.starts_with("it never fires") => Some(Vec::new()),
        Err(_) => None,
    }
}

/// The changes of a zone's clocks between two years.
fn changes(zone: &str, from: &str, until: &str) -> Vec<i64> {
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let (from, until): (Timestamp, Timestamp) = (from.parse().unwrap(), until.parse().unwrap());
    zone.following(from)
        .map(|change| change.timestamp())
        .take_while(|at| *at < until)
        .map(Timestamp::as_second)
        .collect()
}

/// Windows around changes of the clocks, and quiet ones, in every zone there is.
fn windows(each: usize, expressions: usize) -> Vec<Window> {
    let mut dice = Dice::new(7);
    let mut windows = Vec::new();
    let zones: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    assert!(zones.len() > 400, "only {} zones: is `tzdata` installed?", zones.len());
    for zone in zones {
        let changes = changes(&zone, "2020-01-01T00:00:00Z", "2038-01-01T00:00:00Z");
        for number in 0..each {
            let quiet = i64::try_from(dice.between(1_577_836_800, 2_145_830_400)).unwrap();
            let around = if changes.is_empty() || number + 1 == each {
                quiet
            } else {
                changes[usize::try_from(dice.next()).unwrap() % changes.len()]
            };
            windows.push(window(&mut dice, &zone, around, expressions));
        }
    }
    windows
}

/// Every change of the clocks that is not by one hour forth or back at a usual time.
fn oddities(expressions: usize) -> Vec<Window> {
    let mut dice = Dice::new(11);
    let odd = [
        // Half an hour.
        ("Australia/Lord_Howe", "2020-01-01T00:00:00Z", "2038-01-01T00:00:00Z"),
        // Two hours, and three at one minute past midnight.
        ("Antarctica/Troll", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("Antarctica/Casey", "2009-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("Antarctica/Vostok", "2020-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        // At midnight.
        ("America/Havana", "2020-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        ("Africa/Cairo", "2020-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        ("Asia/Beirut", "2020-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        ("America/Santiago", "2020-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        ("America/Scoresbysund", "2020-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        // A day that was not, and one that was twice.
        ("Pacific/Apia", "2009-01-01T00:00:00Z", "2022-01-01T00:00:00Z"),
        ("Pacific/Kwajalein", "1993-01-01T00:00:00Z", "1994-01-01T00:00:00Z"),
        // Back to front: winter is the exception.
        ("Africa/Casablanca", "2020-01-01T00:00:00Z", "2038-01-01T00:00:00Z"),
        ("Europe/Dublin", "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ];
    let mut windows = Vec::new();
    for (zone, from, until) in odd {
        for change in changes(zone, from, until) {
            windows.push(window(&mut dice, zone, change, expressions));
        }
    }
    windows
}

fn window(dice: &mut Dice, zone: &str, around: i64, expressions: usize) -> Window {
    let from = around - around.rem_euclid(60) - i64::try_from(dice.between(0, 30)).unwrap() * HOUR;
    let until = around + i64::try_from(dice.between(3, 40)).unwrap() * HOUR;
    let random = (0..expressions).map(|_| expression(dice));
    let expressions = NIGHTLY.iter().map(|text| (*text).to_owned()).chain(random).collect();
    Window { zone: zone.into(), from, until, expressions }
}

fn agree(oracle: &Path, windows: &[Window]) -> usize {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let shares = windows.chunks(windows.len().div_ceil(threads));
    let differences: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = shares.map(|share| scope.spawn(|| compare(oracle, share))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let shown = differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} differences:\n{shown}", differences.len());
    windows.iter().map(|window| window.expressions.len()).sum()
}

fn compare(oracle: &Path, windows: &[Window]) -> Vec<String> {
    let mut theirs = ask(oracle, windows).into_iter();
    let mut differences = Vec::new();
    for window in windows {
        for expression in &window.expressions {
            let (theirs, ours) = (theirs.next().expect("an answer for each"), answer(window, expression));
            if theirs != ours {
                let Window { zone, from, until, .. } = window;
                differences.push(format!("{expression} in {zone} from {from} until {until}: {theirs:?} {ours:?}"));
            }
        }
    }
    differences
}

#[test]
fn every_zone_agrees_with_debians_cron() {
    let Some(oracle) = oracle() else { return };
    let (each, expressions) = if harness::at_night() { (12, 60) } else { (4, 36) };
    let windows = windows(each, expressions);
    let cases = agree(&oracle, &windows);
    assert!(cases > 100_000, "only {cases} cases");
}

#[test]
fn odd_changes_of_the_clocks_agree_with_debians_cron() {
    let Some(oracle) = oracle() else { return };
    let cases = agree(&oracle, &oddities(40));
    assert!(cases > 10_000, "only {cases} cases");
}
