//! Each family of lints: what it says, and what it leaves alone.

use super::{check_text, environments, found, line};

/// Checks that a text has exactly these findings, one a line.
macro_rules! finds {
    ($text:expr $(, $line:expr)* $(,)?) => {
        assert_eq!(found($text), [$($line.to_owned()),*] as [String; finds!(@count $($line)*)], "{}", $text)
    };
    (@count) => { 0 };
    (@count $first:expr $(, $rest:expr)*) => { 1 + finds!(@count $($rest),*) };
    (@count $first:literal $($rest:literal)*) => { 1 + finds!(@count $($rest)*) };
}

#[test]
fn a_closure_sees_what_is_around_it_and_a_function_does_not() {
    finds!("let x = 1; step(\"a\", || { let y = x; step(\"b\", || info(x + y)); });");
    finds!(
        "let x = 1;\nfn f(a) { a + x }\nf(1);",
        "2:15 variable-outside-function functions do not see the script's variables, and `x` is one"
    );
    finds!("fn f() { g() } fn g() { f } f();");
}

#[test]
fn a_name_ends_with_its_block() {
    finds!("{ let a = 1; } info(a);", "1:21 undeclared-variable there is no variable `a` here");
    finds!("for i in [1] { info(i); } info(i);", "1:32 undeclared-variable there is no variable `i` here");
    finds!(
        "try { throw 1; } catch (e) { info(e); } info(e);",
        "1:46 undeclared-variable there is no variable `e` here"
    );
    finds!("let a = 1; { let a = 2; info(a); } info(a);");
}

#[test]
fn the_value_of_break_is_looked_at() {
    finds!("let a = loop { break nothing(); }; info(a);", "1:22 unknown-function there is no function `nothing`");
}

#[test]
fn a_closure_in_a_map_may_be_called_like_a_method() {
    finds!("let tools = #{ wash: |x| x }; tools.wash(1);");
    finds!("let tools = #{}; tools.wash = |x| x; tools.wash(1);");
    finds!("let tools = #{}; tools.wash(1);", "1:24 unknown-method there is no method `wash`");
}

#[test]
fn what_only_changes_its_receiver_is_no_value() {
    let told = |at: &str, name: &str| format!("{at} no-value `{name}` changes what it is called on, and has no value");
    finds!("let s = \" a\"; let t = s.trim(); info(t);", told("1:25", "trim"));
    finds!("let s = \"a\"; info(s.replace(\"a\", \"b\"));", told("1:21", "replace"));
    finds!("let l = [1]; info(`${l.push(2)}`);", told("1:24", "push"));
    finds!("let l = [1]; for x in l.sort() { info(x); }", told("1:25", "sort"));
    finds!("let l = [1]; l.push(2).len();", told("1:16", "push"));
    finds!("let l = [2, 1]; let add = |x| l.push(x); add.call(3); l.sort(); info(l); fn f(l) { l.push(1) }\nf(l);");
    finds!("let tools = #{ sort: |x| x }; let sorted = tools.sort(1); info(sorted);");
    finds!("let last = [1, 2].pop(); info(last);");
}

#[test]
fn options_inside_of_an_option_are_looked_at() {
    finds!(
        "env_file(\".env\", #{ A: \"1\" }, #{ schema: #{ required: [\"A\"], A: #{ url: true } } });",
        "1:42 wrong-option `env_file`: unknown option `A` in `schema`"
    );
    finds!("env_file(\".env\", #{ A: \"1\" }, #{ schema: #{ required: [\"A\"], url: [\"A\"] } });");
}

#[test]
fn methods_are_those_of_the_handle() {
    finds!("file(\"a\").wriet(\"x\");", "1:11 unknown-method a file handle has no method `wriet`");
    finds!("let f = step(\"a\", || file(\"a\")); f.up();", "1:36 unknown-method a file handle has no method `up`");
    finds!(
        "fn f() { file(\"a\") }\nlet it = f();\nit.reed();",
        "3:4 unknown-method a file handle has no method `reed`"
    );
    finds!("let f = file(\"a\"); f = 3; f.anything_else();", "1:29 unknown-method there is no method `anything_else`");
    finds!("fn f(x) { x.write(\"a\"); x.up(); x.push(1); x.keys(); }\nf(1); f(\"a\");");
}

#[test]
fn a_function_is_checked_with_what_all_its_callers_pass() {
    finds!(
        "let f = file(\"a\"); fn save(f) { f.wriet(\"x\"); } save(f);",
        "1:35 unknown-method a file handle has no method `wriet`"
    );
    finds!("fn save(f) { f.up(); } save(file(\"a\")); save(compose(\"shop\"));");
    finds!("fn save(f) { f.up(); } save(file(\"a\")); let other = save;");
    finds!(
        "fn outer(f) { inner(f) } fn inner(f) { f.up() } outer(file(\"a\"));",
        "1:42 unknown-method a file handle has no method `up`"
    );
    finds!("fn again(f) { if f.exists() { again(f); } f.up(); } again(file(\"a\"));");
}

#[test]
fn a_copy_of_the_same_name_is_no_riddle() {
    finds!("for name in [\"a\"] { let name = name; undo(name, || info(name)); }");
    finds!(
        "let files = env::compose_files; let files = files; let app = compose(\"shop\", #{ files: files }); let app = app; app.pull(#{ services: [\"api\"] });"
    );
}

#[test]
fn a_branch_may_change_what_is_its_own_and_call_methods_of_handles() {
    finds!("let f = file(\"a\"); parallel([|| f.remove(), || { let l = []; l.push(1); l }]);");
    finds!(
        "let l = [1]; let m = #{}; parallel(l, |v| { m.a = v; l[0] = v; m.insert(1, 2) });",
        "1:45 lost-in-branch this change of `m` is lost when the parallel branch ends: a branch works on a copy",
        "1:54 lost-in-branch this change of `l` is lost when the parallel branch ends: a branch works on a copy",
        "1:64 lost-in-branch this change of `m` is lost when the parallel branch ends: a branch works on a copy"
    );
    finds!("let n = 0; step(\"a\", || { n += 1; });");
}

#[test]
fn a_function_hides_a_method_where_it_would_be_called_instead() {
    let message = "1:4 hides-built-in function `write` hides the method `write`";
    let found = found("fn write(text) { info(text) } file(\"a\").write(\"b\"); write(\"c\");");
    assert_eq!(found[0], message);
    finds!("fn write(f, text) { f.write(text) } write(file(\"a\"), \"b\");");
    finds!("fn step(a) { a } step(1);", "1:4 hides-built-in function `step` hides the primitive `step`");
}

#[test]
fn a_parameter_has_the_type_of_its_declaration() {
    finds!(
        "//! T\n//! @param n: integer = 5\nsleep(param(\"n\"));",
        "3:7 wrong-type `sleep`: argument `time` must be a duration like \"90s\", got an integer"
    );
    finds!("//! T\n//! @param n: duration = \"5s\"\nsleep(param(\"n\"));");
    finds!("//! T\n//! @param n: integer = ()\nsleep(param(\"n\"));");
}

#[test]
fn options_may_stand_where_an_optional_argument_could() {
    finds!("parallel([|| 1, || 2], #{ limit: 1 });");
    finds!("parallel([1, 2], |x| x, #{ limit: 1 });");
    finds!("parallel([1, 2], |x| x, #{ limits: 1 });", "1:28 unknown-option `parallel` has no option `limits`");
}

#[test]
fn values_known_only_when_running_are_left_to_the_run() {
    finds!(
        "let n = param(\"n\"); sleep(n); sleep(`${n}s`); sh(n, #{ timeout: n, env: #{ A: n } });",
        "1:15 unknown-parameter the header declares no parameter `n`"
    );
    finds!("let words = [\"a\"]; words.push(\"b\"); sh(words);");
}

#[test]
fn an_environment_may_be_asked_for_before_its_keys_are_used() {
    let all = environments(&["demo", "prod"]);
    let found = |text: &str| check_text(text, &all).findings.iter().map(line).collect::<Vec<_>>();
    assert_eq!(found("info(env::hosts);"), ["1:11 unknown-key environment `demo` has no key `hosts`"]);
    assert_eq!(found("if env::name == \"prod\" { info(env::hosts); }"), [] as [&str; 0]);
    assert_eq!(found("if env::name != \"prod\" { return; }\ninfo(env::hosts);"), [] as [&str; 0]);
    assert_eq!(found("switch env::name { \"prod\" => info(env::hosts), _ => () }"), [] as [&str; 0]);
    let finding = check_text("info(env::hosts);", &all).findings.remove(0);
    assert_eq!(finding.environment.as_deref(), Some("demo"));
}

#[test]
fn a_host_is_one_of_the_environment() {
    finds!("info(env::host(\"web\"));");
    finds!("info(env::host(\"wbe\"));", "1:16 unknown-host environment `prod` has no host `wbe`");
}

#[test]
fn all_findings_come_at_once_in_the_order_of_the_text() {
    finds!(
        "slep(1);\nlet a = b;\nsh([\"a\"], #{ timout: 1 });\nsleep(5);",
        "1:1 unknown-function there is no function `slep`",
        "2:9 undeclared-variable there is no variable `b` here",
        "3:14 unknown-option `sh` has no option `timout`",
        "4:7 wrong-type `sleep`: argument `time` must be a duration like \"90s\", got an integer",
    );
}

#[test]
fn a_repair_is_known_for_slips() {
    let repaired = |text: &str| {
        let finding = check_text(text, &environments(&["prod"])).findings.remove(0);
        let characters: Vec<char> = text.chars().collect();
        let before: String = characters[..finding.column - 1].iter().collect();
        let after: String = characters[finding.column - 1 + finding.length..].iter().collect();
        format!("{before}{}{after}", finding.fix.unwrap().replacement)
    };
    assert_eq!(repaired("slep(\"5s\");"), "sleep(\"5s\");");
    assert_eq!(repaired("sleep(5);"), "sleep(\"5s\");");
    assert_eq!(repaired("sh(\"ls -l\");"), "sh([\"ls\", \"-l\"]);");
    assert_eq!(repaired("let a = null;"), "let a = ();");
    assert_eq!(repaired("var a = 1;"), "let a = 1;");
    assert_eq!(repaired("let a = 'text';"), "let a = \"text\";");
    assert_eq!(repaired("let a == 1;"), "let a = 1;");
    assert_eq!(repaired("http_check(\"localhost:80\");"), "http_check(\"http://localhost:80\");");
    assert_eq!(repaired("info(env::ulr);"), "info(env::url);");
}

#[test]
fn a_syntax_error_is_said_in_plain_words() {
    let says = |text: &str| found(text).join("\n");
    assert_eq!(says("let a = 1\nlet b = 2;"), "1:10 syntax a `;` is missing after this statement");
    assert_eq!(says("sh([\"ls\";"), "1:9 syntax the closing `]` of the list is missing");
    assert_eq!(says("info(\"a\";"), "1:9 syntax the closing `)` of the call of `info` is missing");
    assert_eq!(says("if true { info(1);"), "1:19 syntax the closing `}` of the block is missing");
    assert_eq!(says("let s = \"abc;\n"), "1:9 syntax this string is not closed: its `\"` is missing");
    assert_eq!(says("step(\"a\", () => 1);"), "1:14 syntax `=>` does not make a closure");
    assert_eq!(says("let x = a ? 1 : 2;"), "1:11 syntax there is no `condition ? a : b`");
    assert_eq!(says("let m = #{ a: 1, a: 2 };"), "1:18 syntax the map has `a` twice");
    assert_eq!(
        says("fn f() { fn g() {} }"),
        "1:10 syntax a function is defined at the top of a file, not inside a block"
    );
    assert_eq!(says("break;"), "1:1 syntax `break` and `continue` belong inside a loop");
    assert_eq!(says("function f() { }"), "1:1 syntax a function is defined with `fn`, not `function`");
    assert_eq!(says("let a = 1; a++;"), "1:13 syntax there is no operator `++`");
    assert_eq!(says("let m = #{ until: 1 };"), "1:12 syntax `until` is a word of the language");
    assert_eq!(says("# a comment\n"), "1:1 syntax `#` cannot be used here");
}

#[test]
fn nothing_is_executed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("touched");
    let text = format!("sh([\"touch\", \"{}\"]);", path.display());
    assert_eq!(found(&text), [] as [&str; 0]);
    assert!(!path.exists());
}

#[test]
fn a_secret_stands_where_it_may() {
    finds!("let s = secret(\"A\"); sh([\"true\"], #{ env: #{ A: s, B: `x${s}` }, stdin: s + \"\\n\" });");
    finds!("file(\"out\").write(secret(\"A\") + \"\\n\", #{ mode: \"0600\" });");
    finds!("file(\"out\").write(secret(\"A\"), #{ mode: env_var(\"MODE\") });");
    finds!("env_file(\".env\", #{ A: secret(\"A\") });");
    finds!("env_file(\".env\", #{ A: secret(\"A\") }, #{ dialect: env_var(\"DIALECT\"), comment: \"x\" });");
    finds!(
        "let s = secret(\"A\");\nsh([\"echo\", s]);",
        "2:13 misplaced-secret the secret `A` may not stand in `argv` of `sh`"
    );
    finds!(
        "info(`is ${secret(\"B\").base64()}`);",
        "1:24 misplaced-secret the secret `base64(B)` may not stand in `text` of `info`"
    );
    finds!(
        "file(\"out\").write(secret(\"A\"), #{ mode: \"0644\" });",
        "1:19 misplaced-secret the secret `A` may not stand in `text` of `file.write`"
    );
    finds!(
        "env_file(\".env\", #{ A: secret(\"A\") }, #{ mode: \"0640\" });",
        "1:24 misplaced-secret the secret `A` may not stand in `values` of `env_file`"
    );
}
