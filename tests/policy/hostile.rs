//! Scripts that mean harm: each ends its own run, with a message that says why, within its limits.

use std::time::{Duration, Instant};

use crate::harness::{Project, only_at_night};

fn ends(script: &str, code: i32, says: &str) {
    let began = Instant::now();
    Project::script(script).run().code(code).says(says);
    assert!(began.elapsed() < Duration::from_secs(60), "{says}: took {:?}", began.elapsed());
}

#[test]
fn an_endless_loop_ends_at_its_time() {
    ends("//! @timeout 1s\nloop { }", 1, "the run's time limit passed");
    ends("//! @timeout 1s\nlet x = 0; while true { x += 1; }", 1, "the run's time limit passed");
    ends("//! @timeout 1s\nloop { try { loop { } } catch (error) { } }", 1, "the run's time limit passed");
}

#[test]
fn a_string_without_end_is_an_error() {
    ends("let text = \"x\"; loop { text += text; }", 1, "too large");
    ends("let list = [\"x\"]; loop { list += list; }", 1, "too large");
    ends("let text = \"\"; text.pad(999999999, \"x\");", 1, "too large");
}

/// The size of a map is looked at when it is handed on, not when something is put into it.
#[test]
fn a_map_without_end_is_an_error() {
    let grow = "let map = #{}; let text = \"\"; text.pad(100000, \"x\"); let n = 0; loop { n += 1; map[`k${n}`] = text + n; MORE }";
    ends(&grow.replace("MORE", ""), 1, "takes too much memory");
    ends(&grow.replace("MORE", "if n % 1000 == 0 { info(n); }"), 1, "takes too much memory");
}

#[test]
fn recursion_without_end_is_an_error() {
    ends("fn again(n) { again(n + 1) }\nagain(0);", 1, "more than 64 levels deep");
    ends("fn one(n) { two(n) }\nfn two(n) { one(n) }\none(0);", 1, "more than 64 levels deep");
    let nested = format!("let x = {}1{};", "(".repeat(500), ")".repeat(500));
    ends(&nested, 2, "error");
}

#[test]
fn branches_without_end_are_an_error() {
    let script = "fn split(n) { if n == 0 { return 1 } parallel([1, 2, 3, 4], |x| split(n - 1)) }\nsplit(12);";
    ends(script, 1, "256 branches are at work at once already");
}

/// Each list is measured whole when it is put into the next one: few operations, each longer than the one before.
#[test]
fn a_value_nested_without_end_is_an_error() {
    if !only_at_night() {
        return;
    }
    let script = "let map = #{};\nfor i in 0..100000 { let next = #{}; next.inner = map; map = next; }";
    Project::script(script).run().code(1).says("computed too long without waiting for anything");
}

#[test]
fn a_refusal_is_not_lost_in_a_sort() {
    let refused = "file(v(\"/etc/hostname\")).read()";
    let header = "//! @needs secret NOTHING\nfn v(x) { x }\n";
    ends(
        &format!("{header}let list = [3, 1, 2];\nlist.sort(|a, b| {{ {refused}; 0 }});\ninfo(\"went on\");"),
        1,
        "which the runbook does not declare",
    );
    ends(
        &format!("{header}let list = [3, 3];\nlist.dedup(|a, b| {{ {refused}; true }});\ninfo(\"went on\");"),
        1,
        "which the runbook does not declare",
    );
}

#[test]
fn a_forged_handle_is_judged_as_a_real_one() {
    let script = "//! @needs secret NOTHING\nfn v(x) { x }\nlet forged = file(v(\"x\"));\nforged.path = \"/etc/hostname\";\ninfo(forged.read());";
    let ran = Project::script(script).run();
    assert_ne!(ran.code, 0, "{}", ran.stderr);
    let hostname = std::fs::read_to_string("/etc/hostname").unwrap_or_else(|_| "no such name".into());
    assert!(!ran.stderr.contains(hostname.trim()), "{}", ran.stderr);
}
