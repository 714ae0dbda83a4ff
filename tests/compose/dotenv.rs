//! The dialect of environment files.

use runbook::compose::dotenv::{parse, parse_with};

/// `NAME=value` per variable, or the problem.
fn read(text: &str) -> Result<Vec<String>, String> {
    match parse(text, ".env") {
        Ok(found) => Ok(found.iter().map(|found| format!("{}={}", found.name, found.value)).collect()),
        Err(problem) => Err(problem.to_string()),
    }
}

#[test]
fn every_form_of_an_assignment_is_read() {
    for (text, found) in [
        ("A=1\nB=2", vec!["A=1", "B=2"]),
        ("# comment\n\n  A=1  \n", vec!["A=1"]),
        ("export A=1", vec!["A=1"]),
        ("A: 1", vec!["A=1"]),
        ("A =  1", vec!["A=1"]),
        ("A=", vec!["A="]),
        ("A=1 # comment", vec!["A=1"]),
        ("A=1#no comment", vec!["A=1#no comment"]),
        ("A='1 # no comment' # comment", vec!["A=1 # no comment"]),
        ("A=a b  c", vec!["A=a b  c"]),
        ("A=\"a\\nb\\t\\\"c\\\"\"", vec!["A=a\nb\t\"c\""]),
        (r"A='a\nb'", vec![r"A=a\nb"]),
        (r"A='it\'s'", vec!["A=it's"]),
        ("A=\"two\nlines\"\nB=1", vec!["A=two\nlines", "B=1"]),
        ("A=1\nB=$A-${A}-${C:-c}", vec!["A=1", "B=1-1-c"]),
        ("A=1\nB='$A'", vec!["A=1", "B=$A"]),
        (r#"A="\$B $$C""#, vec!["A=$B $C"]),
        ("A=pa$$word", vec!["A=pa$word"]),
        (r#"A="\0101""#, vec!["A=A"]),
        (r#"A="\w""#, vec![r"A=\w"]),
        ("A=x=y", vec!["A=x=y"]),
        ("A=1\r\nB=2\r\n", vec!["A=1", "B=2"]),
        ("A='1\r\n2'", vec!["A=1\r\n2"]),
        ("A=\u{a0}1\u{85}", vec!["A=1"]),
        (r#"A="\01-\0""#, vec![r"A=\1-\"]),
        ("\u{feff}A=1", vec!["A=1"]),
        ("A.b-c[0]=1", vec!["A.b-c[0]=1"]),
        ("A\nB=1\n", vec!["B=1"]),
        ("", vec![]),
    ] {
        assert_eq!(read(text).unwrap(), found, "{text}");
    }
}

#[test]
fn a_wrong_line_is_named() {
    for (text, problem) in [
        ("A=1\nB C=2", ".env:2: the name `B C` contains a space"),
        ("\n\n=1", ".env:3: a name is missing before `=`"),
        ("A?=1", ".env:1: unexpected character `?` in the name `A?`"),
        ("A='1\n", ".env:1: the value that begins with ' has no end"),
        ("A=\"1\" x", ".env:1: unexpected `x` after the closing quote"),
        ("A=${B", ".env:1: `${B` is not a variable"),
        ("A=${B:?must be set}", ".env:1: the variable `B` is required and has no value: must be set"),
    ] {
        assert_eq!(read(text).unwrap_err(), problem, "{text}");
    }
}

#[test]
fn a_value_cannot_grow_without_bound() {
    let mut text = String::from("A0=aaaaaaaaaa\n");
    for line in 1..100 {
        text.push_str(&format!("A{line}=$A{0}$A{0}$A{0}$A{0}\n", line - 1));
    }
    assert_eq!(read(&text).unwrap_err(), ".env:10: the value grows to more than 1048576 bytes");
}

#[test]
fn lines_are_counted_across_quoted_values() {
    let found = parse("A=1\nB=\"x\ny\"\n# comment\nC=3", ".env").unwrap();
    assert_eq!(found.iter().map(|found| found.line).collect::<Vec<_>>(), [1, 2, 5]);
}

#[test]
fn variables_from_outside_win_and_fill_bare_names() {
    let outside = |name: &str| (name == "HOST").then(|| "outside".to_owned());
    let found = parse_with("HOST=inside\nURL=http://$HOST\nHOST\nMISSING\n", ".env", &outside).unwrap();
    let found: Vec<_> = found.iter().map(|found| (found.name.as_str(), found.value.as_str())).collect();
    assert_eq!(found, [("HOST", "inside"), ("URL", "http://outside"), ("HOST", "outside")]);
}
