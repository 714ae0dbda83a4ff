//! `warn`: a line for people.

use crate::harness::Project;

#[test]
fn warn_writes_text_as_it_is_and_anything_else_as_json() {
    let project = Project::script("warn(\"two\\nlines\");\nwarn(#{ n: [1, ()] });");
    project.run().success().says("warning: two\n").says("warning: lines\n").says("warning: {\"n\":[1,null]}");
    project.runbook(&["logs", "last"]).success().prints("lines");
}
