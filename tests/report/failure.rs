use runbook::failure::{Failure, FailureKind};
use runbook::primitive::Site;
use runbook::report::{Style, failure};

use super::story::{SOURCE, assert_text};

fn rendered(cause: &Failure, trace: &[Site], style: Style) -> String {
    let mut out = Vec::new();
    let library = "fn up(app) {\n    app.up();\n}\n";
    let sources = |file: &str| match file {
        "deploy.rhai" => Some(SOURCE.to_owned()),
        "lib/shop.rhai" => Some(library.to_owned()),
        _ => None,
    };
    failure(&mut out, cause, trace, &sources, style).unwrap();
    String::from_utf8(out).unwrap()
}

fn place(file: &str, line: usize, column: usize) -> Site {
    Site { file: file.into(), line, column }
}

#[test]
fn an_error_of_the_command_line_has_a_message_and_a_hint() {
    let cause =
        Failure::new(FailureKind::NotFound, "no environment `prd` in runbook.toml").hint("did you mean `prod`?");
    assert_text(
        &rendered(&cause, &[], Style::plain()),
        "
error: no environment `prd` in runbook.toml

hint: did you mean `prod`?
",
    );
}

#[test]
fn the_chain_of_places_goes_through_modules() {
    let cause = Failure::new(FailureKind::Unreachable, "cannot reach the Docker engine");
    let trace = [place("lib/shop.rhai", 2, 9), place("deploy.rhai", 9, 9), place("deploy.rhai", 8, 1)];
    assert_text(
        &rendered(&cause, &trace, Style::plain()),
        r#"
error: cannot reach the Docker engine
 --> lib/shop.rhai:2:9
  |
2 |     app.up();
  |         ^^
  |
 ::: deploy.rhai:8:1
  |
8 | step("replace the running containers", || {
  | ---- called from here
9 |     app.up(#{ wait: "30s" });
  |         -- called from here
"#,
    );
}

#[test]
fn a_place_whose_source_is_gone_is_still_named() {
    let cause = Failure::new(FailureKind::Thrown, "stop");
    assert_text(
        &rendered(&cause, &[place("gone.rhai", 3, 7)], Style::plain()),
        "
error: stop
--> gone.rhai:3:7
",
    );
    assert_text(
        &rendered(&cause, &[place("deploy.rhai", 999, 1)], Style::plain()),
        "
error: stop
--> deploy.rhai:999:1
",
    );
    assert_text(
        &rendered(&cause, &[place("deploy.rhai", 0, 0)], Style::plain()),
        "
error: stop
--> deploy.rhai
",
    );
}

#[test]
fn a_place_at_the_end_of_a_line_and_after_wide_characters_has_its_caret() {
    let source = "let title = \"数据库\"; boom(1)\n";
    let cause = Failure::new(FailureKind::Thrown, "stop");
    let mut out = Vec::new();
    let sources = |_: &str| Some(source.to_owned());
    failure(&mut out, &cause, &[place("a.rhai", 1, 20)], &sources, Style::plain()).unwrap();
    assert_text(
        &String::from_utf8(out).unwrap(),
        r#"
error: stop
 --> a.rhai:1:20
  |
1 | let title = "数据库"; boom(1)
  |                       ^^^^
"#,
    );
    let mut out = Vec::new();
    failure(&mut out, &cause, &[place("a.rhai", 1, 400)], &sources, Style::plain()).unwrap();
    assert_text(
        &String::from_utf8(out).unwrap(),
        r#"
error: stop
 --> a.rhai:1:27
  |
1 | let title = "数据库"; boom(1)
  |                              ^
"#,
    );
}

#[test]
fn several_lines_and_several_hints_stay_aligned_and_uncut() {
    let long = "x".repeat(120);
    let cause = Failure::new(FailureKind::Invalid, format!("two variables are not set:\n`A`\n`{long}`"))
        .hint("write them into .env.prod")
        .hint("or give them defaults:\n${A:-value}")
        .evidence("compose.yml", "");
    assert_text(
        &rendered(&cause, &[], Style::plain()),
        &"
error: two variables are not set:
       `A`
       `LONG`

compose.yml:
  (nothing)

hint: write them into .env.prod
hint: or give them defaults:
      ${A:-value}
"
        .replace("LONG", &long),
    );
}

#[test]
fn the_same_place_twice_is_shown_once() {
    let cause = Failure::new(FailureKind::Thrown, "stop");
    let once = rendered(&cause, &[place("deploy.rhai", 9, 9)], Style::plain());
    assert_text(&rendered(&cause, &[place("deploy.rhai", 9, 9), place("deploy.rhai", 9, 9)], Style::plain()), &once);
}
