//! Environment files: what is written for whom, what is refused, and what each reader makes of a file.

mod compose_go;
mod random;
mod real;

use runbook::secrets::env_file::{Contents, Dialect};

const COMPOSE: &[Dialect] = &[Dialect::Compose];
const DOCKER: &[Dialect] = &[Dialect::Docker];
const SYSTEMD: &[Dialect] = &[Dialect::Systemd];
const DOTENV: &[Dialect] = &[Dialect::Dotenv];

fn pairs(values: &[(&str, &str)]) -> Vec<(String, String)> {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The whole file with these variables.
fn whole(dialects: &[Dialect], values: &[(&str, &str)]) -> Result<String, Vec<String>> {
    Contents { dialects, values: &pairs(values), comment: "" }.whole()
}

/// A file with these variables merged into it.
fn merged(dialects: &[Dialect], old: &str, values: &[(&str, &str)]) -> Result<String, Vec<String>> {
    Contents { dialects, values: &pairs(values), comment: "" }.merged(old)
}

/// What stands after `V=` for one value.
fn form(dialects: &[Dialect], value: &str) -> Result<String, String> {
    match whole(dialects, &[("V", value)]) {
        Ok(text) => Ok(text["V=".len()..].strip_suffix('\n').unwrap().to_owned()),
        Err(problems) => Err(problems.join("\n")),
    }
}

/// `NAME=value` per variable, or the line and what is wrong there.
fn read(dialect: Dialect, text: &str) -> Result<Vec<String>, String> {
    match dialect.read(text) {
        Ok(found) => Ok(found.iter().map(|found| format!("{}={}", found.name, found.value)).collect()),
        Err(fault) => Err(format!("{}: {}", fault.line, fault.message)),
    }
}

#[test]
fn each_dialect_gets_the_form_it_reads() {
    for (value, compose, docker, systemd, dotenv) in [
        ("", "", "", "", ""),
        (
            "redis://redis:6379/0",
            "redis://redis:6379/0",
            "redis://redis:6379/0",
            "redis://redis:6379/0",
            "redis://redis:6379/0",
        ),
        ("P@$$w0rd", "'P@$$w0rd'", "P@$$w0rd", "'P@$$w0rd'", "'P@$$w0rd'"),
        ("secret$HOME", "'secret$HOME'", "secret$HOME", "'secret$HOME'", "'secret$HOME'"),
        ("a # b", "'a # b'", "a # b", "'a # b'", "'a # b'"),
        ("it's", "\"it's\"", "it's", "\"it's\"", "\"it's\""),
        ("it's `x` $Y", "\"it's `x` \\$Y\"", "it's `x` $Y", "\"it's `x` \\$Y\"", "\"it's \\`x\\` \\$Y\""),
        ("say \"hi\"", "'say \"hi\"'", "say \"hi\"", "'say \"hi\"'", "'say \"hi\"'"),
        ("back\\", "\"back\\\\\"", "back\\", "\"back\\\\\"", "\"back\\\\\""),
        ("  blanks  ", "'  blanks  '", "  blanks  ", "'  blanks  '", "'  blanks  '"),
        ("zażółć 🔑", "'zażółć 🔑'", "zażółć 🔑", "'zażółć 🔑'", "'zażółć 🔑'"),
    ] {
        let forms = [COMPOSE, DOCKER, SYSTEMD, DOTENV].map(|dialect| form(dialect, value).unwrap());
        assert_eq!(forms, [compose, docker, systemd, dotenv], "{value:?}");
    }
    assert_eq!(form(COMPOSE, "two\nlines").unwrap(), "'two\nlines'");
    assert_eq!(form(COMPOSE, "a\r\nb").unwrap(), "\"a\\r\nb\"");
    assert_eq!(form(DOTENV, "a\r\nb").unwrap(), "\"a\r\nb\"");
    assert_eq!(form(SYSTEMD, "tab\tand\nline").unwrap(), "'tab\tand\nline'");
}

#[test]
fn what_a_dialect_cannot_hold_is_refused_with_the_reason() {
    let lines = "`V` has a value that cannot be written for `docker run --env-file`: there is one line per variable, and this value has several";
    let cr = "`V` has a value that cannot be written for `docker run --env-file`: a carriage return at the end of a value would be lost";
    let control = "`V` has a value that cannot be written for systemd: older versions leave out a value with a control character other than tab and line break";
    let unicode = "`V` has a value that cannot be written for systemd: a file with a Unicode noncharacter is refused";
    let zero = "`V` holds a zero byte, which no environment can";
    for (dialect, value, problem) in [
        (DOCKER, "two\nlines", lines),
        (DOCKER, "end\r", cr),
        (SYSTEMD, "bell\u{7}", control),
        (SYSTEMD, "cr\r", control),
        (SYSTEMD, "\u{fffe}", unicode),
        (COMPOSE, "a\0b", zero),
        (DOTENV, "a\0b", zero),
    ] {
        assert_eq!(form(dialect, value).unwrap_err(), problem);
    }
    for dialect in [COMPOSE, SYSTEMD, DOTENV] {
        assert!(form(dialect, &"x".repeat((128 << 10) - 3)).is_ok());
        let problem = form(dialect, &"x".repeat((128 << 10) - 2)).unwrap_err();
        assert_eq!(problem, "`V` is longer than 128 KiB, which Linux hands to no program");
    }
    assert!(form(DOCKER, &"x".repeat((64 << 10) - 3)).is_ok());
    let problem = form(DOCKER, &"x".repeat((64 << 10) - 2)).unwrap_err();
    assert_eq!(
        problem,
        "`V` has a value that cannot be written for `docker run --env-file`: a line has at most 64 KiB"
    );
}

#[test]
fn a_name_that_the_reader_does_not_take_is_refused() {
    for (dialect, name) in [
        (COMPOSE, "1A"),
        (COMPOSE, "A B"),
        (COMPOSE, ""),
        (COMPOSE, "A$"),
        (COMPOSE, "Ä"),
        (DOCKER, "A=B"),
        (DOCKER, "#A"),
        (SYSTEMD, "a.b"),
        (SYSTEMD, "a-b"),
        (DOTENV, "a.b"),
        (DOTENV, "a\nb"),
        (DOTENV, "UID"),
        (DOTENV, "OPTIND"),
    ] {
        let problems = whole(dialect, &[(name, "x")]).unwrap_err();
        assert!(problems[0].starts_with(&format!("`{name}` cannot be a variable of ")), "{problems:?}");
    }
    for dialect in [COMPOSE, DOCKER] {
        assert_eq!(whole(dialect, &[("spring.data-source", "x")]).unwrap(), "spring.data-source=x\n");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_no_value_with_it() {
    let values = [("GOOD", "x"), ("CERT", "se-cret\nlines"), ("1BAD", "se-cret"), ("END", "se-cret\r")];
    let problems = whole(DOCKER, &values).unwrap_err();
    let names: Vec<&str> = problems.iter().map(|problem| problem.split('`').nth(1).unwrap()).collect();
    assert_eq!(names, ["CERT", "1BAD", "END"]);
    assert!(!problems.concat().contains("se-cret"));
}

#[test]
fn a_file_of_several_readers_has_the_forms_that_all_of_them_read() {
    let all = [Dialect::Compose, Dialect::Systemd, Dialect::Dotenv];
    assert_eq!(form(&all, "P@$$w0rd").unwrap(), "'P@$$w0rd'");
    assert_eq!(form(&all, "it's").unwrap(), "\"it's\"");
    assert_eq!(
        form(&[Dialect::Compose, Dialect::Dotenv], "it's `x`").unwrap_err(),
        "`V` has a value that cannot be written so that Docker Compose and a shell read it"
    );
    assert_eq!(form(&[Dialect::Compose, Dialect::Docker], "a b").unwrap(), "a b");
    assert!(form(&[Dialect::Compose, Dialect::Docker], "a #b").is_err());
}

#[test]
fn comment_lines_stand_at_the_top_and_hide_nothing() {
    let values = pairs(&[("A", "1")]);
    let contents = |comment| Contents { dialects: SYSTEMD, values: &values, comment }.whole();
    assert_eq!(
        contents("Written by setup.rhai.\n\nDo not edit.").unwrap(),
        "# Written by setup.rhai.\n#\n# Do not edit.\nA=1\n"
    );
    assert_eq!(
        contents("C:\\").unwrap_err(),
        ["the comment line \"C:\\\\\" has a control character or ends with a backslash"]
    );
}

#[test]
fn a_merge_keeps_everything_it_was_not_asked_to_change() {
    let old = "# the shop\nTAG=v1   # set by hand\n\nCERT='one\ntwo'\nTAG=v2\nexport OTHER=\"x\"";
    assert_eq!(
        merged(COMPOSE, old, &[("CERT", "three"), ("NEW", "a b"), ("TAG", "v3")]).unwrap(),
        "# the shop\n\nCERT=three\nTAG=v3\nexport OTHER=\"x\"\nNEW='a b'\n"
    );
    for same in [&[][..], &[("TAG", "v2"), ("CERT", "one\ntwo"), ("OTHER", "x")]] {
        assert_eq!(merged(COMPOSE, old, same).unwrap(), old);
    }
    assert_eq!(merged(DOTENV, "", &[("A", "1")]).unwrap(), "A=1\n");
    assert_eq!(merged(SYSTEMD, "A=\"x\ny\"", &[("A", "1")]).unwrap(), "A=1\n");
    assert_eq!(merged(DOCKER, "A='x'\r\nB=2", &[("B", "3")]).unwrap(), "A='x'\r\nB=3\n");
}

#[test]
fn a_file_that_cannot_be_read_is_not_merged_into() {
    for (dialect, old, problem) in [
        (COMPOSE, "A=1\nB='x", "line 2 of the file as it is: the value that begins with ' has no end"),
        (
            DOTENV,
            "A=$(date)",
            "line 1 of the file as it is: the shell replaces or runs what `$` or a backquote begins; only single quotes or a backslash keep it",
        ),
        (DOTENV, "A=1\nrm -r x", "line 2 of the file as it is: this is not an assignment"),
        (DOCKER, "A B=1", "line 1 of the file as it is: the name `A B` contains a space"),
        (SYSTEMD, "# x\\\nA=1", "line 1 of the file as it is: a comment ends with a backslash"),
    ] {
        assert_eq!(merged(dialect, old, &[("NEW", "1")]).unwrap_err(), [problem]);
    }
}

#[test]
fn a_docker_file_is_read_line_by_line() {
    let text = "\u{feff}# comment\n\n  A= v \nB='x' # y\r\nHOST\nC=\"a=b\"";
    assert_eq!(read(Dialect::Docker, text).unwrap(), ["A= v ", "B='x' # y", "C=\"a=b\""]);
    assert_eq!(read(Dialect::Docker, "=1").unwrap_err(), "1: a name is missing before `=`");
}

#[test]
fn a_systemd_file_is_read_as_the_manual_says() {
    for (text, found) in [
        ("; comment\n# comment\n\nA = 1 \nB=x y  z\t\n", vec!["A=1", "B=x y  z"]),
        ("A='x  ' \"y\"z ", vec!["A=x  yz"]),
        ("A=x'y'\"z\"", vec!["A=x'y'\"z\""]),
        (r#"A="\"\\\`\$\n\w""#, vec![r#"A="\`$\n\w"#]),
        ("A=\"one \\\ntwo\nthree\"", vec!["A=one two\nthree"]),
        ("A=one \\\n two\\ \nB=$A", vec!["A=one  two ", "B=$A"]),
        ("not a variable\nA=1 # no comment", vec!["A=1 # no comment"]),
    ] {
        assert_eq!(read(Dialect::Systemd, text).unwrap(), found, "{text}");
    }
    assert_eq!(read(Dialect::Systemd, "A=1\na.b=2").unwrap_err(), "2: a variable with such a name is left out");
    assert_eq!(read(Dialect::Systemd, "A='1").unwrap_err(), "1: the value that begins with ' has no end");
}

#[test]
fn a_shell_file_is_read_as_far_as_it_holds_assignments() {
    for (text, found) in [
        ("# comment\n\n  export A=1 # comment\nB=\n", vec!["A=1", "B="]),
        (r#"A=x'y $Z'"w\"\$\\"\ q"#, vec![r#"A=xy $Zw"$\ q"#]),
        ("A='one\ntwo'\nB=a#b", vec!["A=one\ntwo", "B=a#b"]),
        ("A=\"one \\\ntwo\"", vec!["A=one two"]),
    ] {
        assert_eq!(read(Dialect::Dotenv, text).unwrap(), found, "{text}");
    }
    for (text, problem) in [
        ("A=a b", "1: there is more than one word after `=`"),
        ("A=1\nB=~/x", "2: '~' without quotes is no part of a value"),
        ("A=1;B=2", "1: ';' without quotes is no part of a value"),
        ("A=1\r\n", "1: '\\r' without quotes is no part of a value"),
        ("PPID=1", "1: shells keep this name for themselves"),
        ("A=\"x", "1: the value that begins with \" has no end"),
    ] {
        assert_eq!(read(Dialect::Dotenv, text).unwrap_err(), problem, "{text}");
    }
}
