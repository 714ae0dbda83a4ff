//! The traps of the language, each with the symptom it had.

use crate::harness::Project;

#[test]
fn a_primitive_that_fails_inside_a_sort_is_not_lost() {
    let script = "let list = [3, 1, 2];\nlist.sort(|a, b| param(\"missing\"));\ninfo(\"went on\");";
    Project::script(script).run().code(2).never_says("went on");
    let script = "let list = [3, 1, 2];\nlist.sort(|a, b| { throw \"boom\" });\ninfo(\"went on\");";
    Project::script(script).run().code(1).says("boom").never_says("went on");
}

#[test]
fn sort_and_dedup_still_work() {
    let script = "let list = [3, 1, 2, 2, 1];\nlist.sort(|a, b| a - b);\ninfo(list);\nlist.dedup(|a, b| a == b);\ninfo(list);\nlet words = [\"b\", \"a\"];\nwords.sort();\ninfo(words);";
    Project::script(script).run().success().says("[1,1,2,2,3]").says("[1,2,3]").says("[\"a\",\"b\"]");
}

#[test]
fn branches_that_capture_the_same_variable_do_not_race() {
    let script = "let both = #{ n: 1 };\nlet count = |x| { let mine = both; for i in 0..200 { mine.n += 1; } mine.n };\n\
                  info(parallel([1, 2], count));\ninfo(both.n);";
    // Each branch counts on a copy of its own; the variable outside keeps its value.
    Project::script(script).run().success().says("[201,201]").says("info: 1\n");
}

#[test]
fn a_number_is_not_a_duration() {
    Project::script("let times = [5];\nsleep(times[0]);")
        .run()
        .code(1)
        .says("a number has no unit")
        .says("sleep(\"5s\")");
}

#[test]
fn a_caught_failure_can_be_read_and_thrown_again() {
    let script = "try { lock(\"\"); step(\"x\", || { throw \"first\" }) } catch (error) { info(error.kind + \": \" + error.message); throw error }";
    Project::script(script).run().code(1).says("thrown: first");
}

#[test]
fn return_leaves_a_step_and_exit_leaves_the_script() {
    let script = "let got = step(\"a\", || { if true { return 7; } 8 });\ninfo(got);\nstep(\"b\", || { exit(0); });\ninfo(\"never\");";
    Project::script(script).run().success().says("7").never_says("never");
}
