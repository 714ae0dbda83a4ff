//! `parallel`: at the same time.

use std::time::Instant;

use crate::harness::Project;

#[test]
fn the_first_failing_branch_stops_the_others() {
    let began = Instant::now();
    let script = "parallel([|| sleep(\"60s\"), || { throw \"second branch\" }]);";
    Project::script(script).run().code(1).says("error: second branch");
    assert!(began.elapsed().as_secs() < 20);
}

#[test]
fn results_of_branches_come_in_the_order_of_the_items() {
    let script = "info(parallel([3, 1, 2], |n| { sleep(`${n * 20}ms`); n * 10 }, #{ limit: 3 }));";
    Project::script(script).run().success().says("[30,10,20]");
}

#[test]
fn a_list_of_closures_runs_and_anything_else_is_refused() {
    Project::script("info(parallel([|| 1 + 1, || \"two\"]));").run().success().says("[2,\"two\"]");
    Project::script("fn items() { [1, 2] }\nparallel(items());").run().code(1).says("item 1 is not a closure");
}

#[test]
fn a_limit_of_one_runs_them_in_turn() {
    let script = "parallel([1, 2, 3], |n| sh([\"sh\", \"-c\", `printf ${n} >> log`]), #{ limit: 1 });\n\
                  info(file(\"log\").read());";
    Project::script(script).run().success().says("info: 123");
}
