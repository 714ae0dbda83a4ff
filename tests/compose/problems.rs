//! What people read when a compose file is wrong: every message literal, every problem at once.

use super::Project;

/// Problems and hints of a file, one a line.
fn wrong(compose: &str) -> String {
    let problems = Project::new(compose).load().unwrap_err();
    let line = |problem: &runbook::compose::Problem| match &problem.hint {
        Some(hint) => format!("{problem}\n  hint: {hint}\n"),
        None => format!("{problem}\n"),
    };
    problems.iter().map(line).collect()
}

/// Files and what is said about them, in `problems.txt`: `==== file`, the file, `==== problems`, the problems.
#[test]
fn a_broken_file_says_what_is_wrong_where_and_what_to_do() {
    let cases: Vec<(&str, &str)> = include_str!("problems.txt")
        .split("==== file\n")
        .skip(1)
        .map(|case| case.split_once("==== problems\n").unwrap())
        .collect();
    assert_eq!(cases.len(), 32);
    for (file, problems) in cases {
        assert_eq!(wrong(file), problems, "{file}");
    }
}

#[test]
fn problems_of_all_files_come_at_once_in_the_order_of_the_files() {
    let project = Project::new("services:\n  a:\n    image: x\n    tyt: true\n")
        .over("over.yaml", "services:\n  a:\n    hostnme: h\n    user: ${USER_ID:?}\n");
    assert_eq!(
        project.problems(),
        [
            "compose.yaml:4:5: services.a.tyt: there is no such key",
            "over.yaml:3:5: services.a.hostnme: there is no such key",
            "over.yaml:4:11: services.a.user: the variable `USER_ID` is required and has no value",
        ]
    );
}

#[test]
fn a_value_shared_by_an_anchor_is_wrong_once() {
    let project = Project::new(
        "x-h: &h\n  interval: soon\nservices:\n  a: {image: x, healthcheck: *h}\n  b: {image: x, healthcheck: *h}\n",
    );
    assert_eq!(project.problems(), ["compose.yaml:2:13: services.a.healthcheck.interval: `soon` is not a duration"]);
}

#[test]
fn aliases_cannot_grow_without_bound() {
    let mut text = String::from("x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("x-{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(
        Project::new(&text).problems(),
        ["compose.yaml:6:21: the aliases of this file expand to more than 400000 values"]
    );
}

#[test]
fn a_missing_file_is_named() {
    let mut project = Project::new("services: {a: {image: x}}");
    project.request.files.push("over.yaml".into());
    assert_eq!(project.problems(), ["over.yaml: there is no such file"]);
    project.request.files.clear();
    assert_eq!(project.problems(), ["compose file: none is given"]);
}

#[test]
fn problems_become_one_failure() {
    let problems = Project::new("services:\n  a:\n    imge: x\n").load().unwrap_err();
    let failure = runbook::compose::failure(&problems);
    assert_eq!(
        format!("{failure:?}"),
        "Invalid: 2 problems in the compose files, the first one: compose.yaml:2:3: services.a: has neither an image nor a build
  all problems: compose.yaml:2:3: services.a: has neither an image nor a build
  hint: add `image: …` or `build: …`
compose.yaml:3:5: services.a.imge: there is no such key
  hint: did you mean `image`?"
    );
}
