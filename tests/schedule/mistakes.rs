use runbook::schedule::{Expression, Problem};

/// The mistake as a person sees it, with its hint.
#[track_caller]
fn refused(text: &str) -> String {
    let problem = Expression::parse(text).expect_err(text);
    format!("{}\nhint: {}", problem.with_caret(), problem.hint.unwrap_or_default())
}

#[test]
fn a_mistake_in_a_list_a_range_a_step_and_a_name_has_its_place() {
    let cases = [
        ("1,,2 * * * *", "a minute is missing\n  1,,2 * * * *\n    ^\nhint: write a number from 0 to 59"),
        ("0 20-25 * * *", "`25` is no hour\n  0 20-25 * * *\n       ^^\nhint: write a number from 0 to 23"),
        (
            "5/10 * * * *",
            "a step needs a range or `*` before it\n  5/10 * * * *\n   ^\nhint: from 5 on it is `5-59/10`",
        ),
        ("*/0 * * * *", "a step of 0 never gets on\n  */0 * * * *\n    ^\nhint: write 1 or more"),
        ("*/x * * * *", "`x` is no step\n  */x * * * *\n    ^\nhint: write a number, as in `*/15`"),
        ("0 0 * * monday", "`monday` is no day of week\n  0 0 * * monday\n          ^^^^^^\nhint: did you mean `mon`?"),
        (
            "0 0 * foo *",
            "`foo` is no month\n  0 0 * foo *\n        ^^^\nhint: write a number from 1 to 12, or a name from jan to dec",
        ),
        ("0 0 ? * 1", "`?` is no day of month\n  0 0 ? * 1\n      ^\nhint: cron has no `?`: write `*`"),
        ("@dialy", "there is no `@dialy`\n  @dialy\n  ^^^^^^\nhint: did you mean `@daily`?"),
    ];
    for (text, expected) in cases {
        assert_eq!(refused(text), expected);
    }
}

#[test]
fn five_fields_are_five() {
    assert!(refused("0 3 * *").starts_with("the day of week is missing"));
    let six = refused("0 0 3 * * 1");
    assert!(
        six.starts_with("an expression has five fields, and this is too much\n  0 0 3 * * 1\n            ^"),
        "{six}"
    );
    assert!(refused("").starts_with("the minute is missing"));
}

#[test]
fn what_never_fires_is_refused() {
    let expected = "it never fires: there is no such date\n  30 2 31 2 *\n       ^^^^\n\
                    hint: the months after `2` have 30 or 31 days; February has 29 at most";
    assert_eq!(refused("30 2 31 2 *"), expected);
    assert!(refused("0 0 30-31 feb *").starts_with("it never fires"));
    assert!(refused("0 22-5 * * *").contains("hint: write `22-23,0-5`"), "{}", refused("0 22-5 * * *"));
    assert!(refused("0 0 * * fri-sun").contains("hint: write `5-7`: Sunday is 0 and 7"));
    // Every 28 years is not never.
    assert!(Expression::parse("0 0 29 2 */7").is_ok());
}

#[test]
fn what_debians_cron_passes_over_is_told() {
    let slips = |text: &str| -> Vec<String> {
        Expression::parse(text).unwrap().slips().iter().map(Problem::with_caret).collect()
    };
    assert_eq!(slips("*5 * * * *"), ["Debian's cron passes over `5` here\n  *5 * * * *\n   ^"]);
    assert_eq!(slips("0 1-3-5 * * *"), ["Debian's cron passes over `-5` here\n  0 1-3-5 * * *\n       ^^"]);
    assert_eq!(slips("0 5-3,7 * * *"), ["a range that runs backwards holds no hour\n  0 5-3,7 * * *\n    ^^^"]);
    assert!(slips("30 2 * * *").is_empty());
}
