//! Where a script looks at something that a plan cannot know, the plan ends there; what only carries it along goes on.

use serde_json::Value;

use crate::harness::Project;

/// What every script here has: `u`, the output of a command, a text with it in, and a list and a map that hold it.
const KNOWN: &str =
    "let u = sh([\"cat\", \"a\"]).stdout; let t = `<${u}>`; let list = [u, \"x\"]; let map = #{ a: u, b: 1 };\n";

/// The plan of a script behind [`KNOWN`]: its second line begins in column 1.
fn plan(line: &str) -> Value {
    let project = Project::script(&format!("{KNOWN}{line}\nfile(\"end\").write(\"\");"));
    let planned = project.runbook(&["plan", "test.rhai", "--out", "plan.json"]);
    assert!(planned.code < 2, "{line}: {}", planned.stderr);
    assert!(!planned.stdout.contains("::"), "{line}: {}", planned.stdout);
    assert!(!planned.stdout.contains('\u{F1F00}'), "{line}: {}", planned.stdout);
    serde_json::from_str(&project.read("plan.json")).unwrap()
}

/// The paths that are written, or where the plan ends.
fn told(line: &str) -> Result<Vec<String>, String> {
    let plan = plan(line);
    if let Some(end) = plan["certain_until"].as_object() {
        return Err(format!("{}: {}", end["site"]["line"], end["depends_on"].as_str().unwrap()));
    }
    if let Some(failure) = plan["failure"]["message"].as_str() {
        return Err(failure.to_owned());
    }
    let calls = plan["calls"].as_array().unwrap().iter().skip(1);
    let changes = calls.flat_map(|call| call["changes"].as_array().unwrap());
    Ok(changes.map(|change| change["what"].as_str().unwrap().trim_start_matches("file ").to_owned()).collect())
}

#[test]
fn looking_at_it_ends_the_plan() {
    for line in [
        "list.filter(|x| x == \"x\");",
        "list.some(|x| x == \"x\");",
        "list.all(|x| x.starts_with(\"x\"));",
        "list.find(|x| x == \"x\");",
        "list.find_map(|x| if x == \"x\" { 1 } else { () });",
        "list.index_of(\"x\");",
        "list.index_of(|x| x == \"x\");",
        "list.retain(|x| x == \"x\");",
        "list.drain(|x| x == \"x\");",
        "list.dedup();",
        "list.dedup(|a, b| a == b);",
        "list.sort();",
        "list.sort(|a, b| a.len() - b.len());",
        "let s = list.order(|a, b| if a == b { 0 } else { 1 });",
        "let s = u.sub_string(0, 3);",
        "let s = t.sub_string(0, 3);",
        "let s = t.split();",
        "let s = t.to_chars();",
        "let s = max(t, \"a\");",
        "let s = t[1];",
        "let s = t[0..2];",
        "let r = #{ o: t }; let s = r.o[0..2];",
        "let r = #{ o: t }; let s = r.o.to_upper()[0..2];",
        "let key = || \"a\"; let r = #{ a: [t] }; let s = r[key.call()][0][1];",
        "let s = `q${t}`[0];",
        "let s = `a${t[0]}b`;",
        "for c in t { file(\"b\").write(\"\"); }",
        "for c in u { file(\"b\").write(\"\"); }",
        "let v = map[t];",
        "let v = list[u];",
        "let v = t in map;",
        "let v = \"x\" in list;",
        "let v = \"q\" in t;",
        "let v = u ?? \"none\";",
        "let v = map.get(t);",
        "map.remove(t);",
        "if map == #{ a: 1 } { }",
        "if list == [\"a\"] { }",
        "if t == 'c' { }",
        "if 'c' == t { }",
        "switch t { \"x\" => 1, _ => 2 }",
        "t.replace(u, \"[\");",
        "t.pop();",
        "t.truncate(1);",
        "let n = parse_int(t);",
        "let n = t.len;",
        "if t.is_empty() { }",
        "while u == \"x\" { }",
        "for i in 0..u { }",
        "parallel(u, |x| file(x).write(\"\"));",
        "retry(#{ times: u }, || file(\"b\").write(\"\"));",
        "try { let s = t[0]; } catch { file(\"caught\").write(\"\") }",
        "try { list.filter(|x| x == \"x\"); } catch { file(\"caught\").write(\"\") }",
    ] {
        let end = told(line).expect_err(line);
        assert!(end == "2: what `sh cat a` returns", "{line}: {end}");
    }
    let end = told("if type_of(u) == \"string\" { }").unwrap_err();
    assert!(end.contains("the type of a value that is not known yet"), "{end}");
}

#[test]
fn carrying_it_along_does_not() {
    for (line, written) in [
        ("file(u).write(\"\");", &["write (what `sh cat a` returns) (0 B)", "end"][..]),
        ("file(\"d/\" + u).write(\"\");", &["write d/(what `sh cat a` returns) (0 B)", "end"]),
        ("parallel(list, |x| file(\"f\" + x).write(\"\"));", &["write f(what `sh cat a` returns) (0 B)", "fx", "end"]),
        ("let o = list.map(|x| `${x}!`); file(\"b\").write(o[0]);", &["b", "end"]),
        ("let q = u[0]; file(\"b\").write(q);", &["b", "end"]),
        ("u.trim(); t.trim(); t += \"x\"; t.replace(\"<\", \"[\"); file(\"b\").write(t + u);", &["b", "end"]),
        ("let n = map.keys(); file(n[1]).write(\"\");", &["b", "end"]),
        ("if map.values().len() == 2 && list.len() == 2 { file(\"b\").write(\"\"); }", &["b", "end"]),
        ("list.push(t); map.c = t; file(\"b\").write(map.c + list.pop());", &["b", "end"]),
        ("let h = env::host(t); file(h).write(\"\");", &["write (what `sh cat a` returns) (0 B)", "end"]),
        ("let v = map.b ?? \"none\"; file(`n${v}`).write(\"\");", &["n1", "end"]),
        ("step(u, || file(\"b\").write(\"\"));", &["b", "end"]),
        ("info(u); info(t); print(u); print(t); debug(list);", &["end"]),
        ("let z = list.zip([1, 2], |a, b| `${a}${b}`); file(\"b\").write(z[1]);", &["b", "end"]),
    ] {
        assert_eq!(
            told(line).as_deref(),
            Ok(&written.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
            "{line}"
        );
    }
}

#[test]
fn a_plan_computes_what_is_known_as_the_run_does() {
    for line in [
        "let o = [3, 1].order(|a, b| a - b); file(`n${o[0]}`).write(\"\");",
        "let o = [3, 1, 2].filter(|x| x > 1).map(|x| x * 2); file(`n${o}`).write(\"\");",
        "let o = [3, 1, 2].filter(|x, i| i > 1); file(`n${o}`).write(\"\");",
        "let o = [3, 1, 2].filter(|| this > 1); file(`n${o}`).write(\"\");",
        "let n = [3, 1]; n.for_each(|| this *= 2); file(`n${n}`).write(\"\");",
        "let o = [3, 1, 2].reduce(|sum, x| sum + x, 10); file(`n${o}`).write(\"\");",
        "let k = 7; let o = [3, 9].find(|x| x > k); file(`n${o}`).write(\"\");",
        "fn more(x) { x + 1 } let o = [3, 9].map(more); file(`n${o}`).write(\"\");",
        "let m = #{ b: 1 }; m[\"b\"] += 1; m[\"c\"] = [1]; m[\"c\"].push(2); file(`n${m.b}${m.c}`).write(\"\");",
        "let g = [[1, 2], [3]]; let f = |x| x; g[f.call(0)][1] = 9; file(`n${g}`).write(\"\");",
        "let i = [1, 2, 3]; file(`n${i[i[0]]}${i[-1]}`).write(\"\");",
        "let q = \"abc\"[0..2]; file(q).write(\"\");",
        "let x = \"a,b\".split(',')[1]; file(x).write(\"\");",
        "for c in \"ab\" { file(`${c}`).write(\"\"); }",
        "if \"a\" < \"b\" && 'a' == \"a\" && \"x\" in [\"x\"] && type_of(1) == \"i64\" { file(\"b\").write(\"\"); }",
        "let n = #{ x: [1, 2] }; file(`a${n.x[1]}b${n[\"x\"][0]}${() ?? 3}`).write(\"\");",
        "const LIST = [1, 2]; file(`n${LIST[1]}`).write(\"\");",
        "let s = \"x\"; s += 'y'; s.pad(4, '.'); s.make_upper(); file(s).write(\"\");",
    ] {
        let planned = told(line).unwrap_or_else(|end| panic!("{line}: {end}"));
        let project = Project::script(&format!("{KNOWN}{line}\nfile(\"end\").write(\"\");")).file("a", "");
        project.run().success();
        for path in planned {
            assert!(project.path().join(&path).exists(), "{line}: {path} was not written");
        }
    }
}

#[test]
fn a_failure_that_says_something_unknown_says_so_in_words() {
    for (line, message) in [
        ("if true { throw u; }", "(what `sh cat a` returns)"),
        ("if true { throw t; }", "<(what `sh cat a` returns)>"),
        ("if true { throw #{ message: u }; }", "(what `sh cat a` returns)"),
        ("if true { throw [t, 1]; }", "[\"<(what `sh cat a` returns)>\",1]"),
        ("[1, \"a\"].sort();", "elements of different types cannot be sorted"),
    ] {
        assert_eq!(told(line), Err(message.to_owned()), "{line}");
    }
}
