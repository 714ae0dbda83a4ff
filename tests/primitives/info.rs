//! `info`: a line for people.

use crate::harness::Project;

#[test]
fn info_writes_text_as_it_is_and_anything_else_as_json() {
    let project = Project::script("info(\"two\\nlines\");\ninfo(#{ n: [1, ()] });");
    project.run().success().says("info: two\n").says("info: lines\n").says("info: {\"n\":[1,null]}");
    project.runbook(&["logs", "last"]).success().prints("lines");
}
