use std::os::unix::fs::MetadataExt;

use runbook::primitive::{Call, Effect, Failure, FailureKind, Outcome, Probe, Site};
use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive};

fn template(direct: &Direct, source: Value, values: Value, options: Value) -> Result<Outcome, Failure> {
    direct.call(primitive("template"), json!([source, values]), options)
}

fn render(text: &str, values: Value) -> String {
    let outcome = template(&Direct::new(), json!({ "text": text }), values, Value::Null).unwrap();
    assert_eq!(outcome.changed, None);
    outcome.value.as_str().unwrap().to_owned()
}

fn refused(text: &str, values: Value) -> Failure {
    template(&Direct::new(), json!({ "text": text }), values, Value::Null).unwrap_err()
}

#[test]
fn a_caddyfile_is_rendered_as_written() {
    let text = "\
{{ domain }} {
    {% for app in apps %}
    handle_path /{{ app.path }}/* {
        reverse_proxy {{ app.name }}:{{ app.port }}
    }
    {% endfor %}
    header X-Note \"a < b & c\"
}
";
    let values = json!({ "domain": "shop.example.com", "apps": [{ "path": "api", "name": "api", "port": 8000 }] });
    assert_eq!(
        render(text, values),
        "shop.example.com {\n    handle_path /api/* {\n        reverse_proxy api:8000\n    }\n    header X-Note \"a < b & c\"\n}\n"
    );
}

#[test]
fn an_undefined_variable_names_file_line_and_near_names() {
    let direct = Direct::new();
    direct.write("app.conf.j2", "first\nserver {{ domian }};\n");
    let values = json!({ "domain": "x", "port": 80 });
    let failure = template(&direct, json!("app.conf.j2"), values, json!({ "to": "app.conf" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert_eq!(failure.message, "template `app.conf.j2`, line 2: `domian` is not defined");
    assert_eq!(failure.hints, ["did you mean `domain`?"]);
    assert_eq!(failure.evidence[0].title, "app.conf.j2");
    assert_eq!(failure.evidence[0].text, "2 | server {{ domian }};");
    assert!(!direct.path().join("app.conf").exists());
}

#[test]
fn an_undefined_field_is_compared_with_its_neighbours() {
    let values = json!({ "app": { "port": 80, "name": "api" } });
    let failure = refused("{{ app.prot }}", values.clone());
    assert_eq!(failure.message, "template `(text)`, line 1: `app.prot` is not defined");
    assert_eq!(failure.hints, ["did you mean `app.port`?"]);
    assert_eq!(refused("{{ app.zzz }}", values.clone()).hints, ["the names are port, name"]);
    assert_eq!(
        refused("{{ app.zzz.deep }}", values.clone()).message,
        "template `(text)`, line 1: `app.zzz` is not defined"
    );
    assert_eq!(refused("{% if apps %}x{% endif %}", values.clone()).hints, ["did you mean `app`?"]);
    assert_eq!(
        refused("{% for a in [app] %}{{ a.prot }}{% endfor %}", values).message,
        "template `(text)`, line 1: `a.prot` is not defined"
    );
    assert_eq!(refused("{{ x }}", json!({})).hints, ["no values were given"]);
}

#[test]
fn a_default_makes_a_value_optional() {
    assert_eq!(render("{{ port | default(80) }}{% if x is defined %}!{% endif %}", json!({})), "80");
}

#[test]
fn a_syntax_error_names_its_line() {
    let failure = refused("ok\n{% if x %}\n", json!({ "x": true }));
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.message.starts_with("template `(text)`, line 2: unexpected end of input"), "{}", failure.message);
    let failure = refused("{{ x | shout }}", json!({ "x": 1 }));
    assert_eq!(failure.message, "template `(text)`, line 1: filter shout is unknown");
}

#[test]
fn a_missing_template_is_named() {
    let failure = template(&Direct::new(), json!("no.j2"), json!({}), Value::Null).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::NotFound, "cannot read `no.j2`: no such file or directory")
    );
}

#[test]
fn an_included_template_is_found_beside_the_one_that_includes_it() {
    let direct = Direct::new();
    direct
        .write("conf/main.j2", "[{% include 'parts/head.j2' %}]")
        .write("conf/parts/head.j2", "{% include '../tail.j2' %}");
    direct.write("conf/tail.j2", "{{ name }}");
    let text = template(&direct, json!("conf/main.j2"), json!({ "name": "x" }), Value::Null).unwrap().value;
    assert_eq!(text, "[x]");
    let failure = template(&direct, json!("conf/main.j2"), json!({ "nmae": "x" }), Value::Null).unwrap_err();
    assert_eq!(failure.message, "template `conf/tail.j2`, line 1: `name` is not defined");
    assert_eq!(failure.hints, ["did you mean `nmae`?"]);
}

#[test]
fn a_missing_include_is_named() {
    let direct = Direct::new();
    direct.write("conf/main.j2", "a\n{% include 'gone.j2' %}");
    let failure = template(&direct, json!("conf/main.j2"), json!({}), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert_eq!(failure.message, "template `conf/main.j2`, line 2: there is no template `gone.j2`");
    assert_eq!(failure.hints, ["it is looked up from the folder of the template that names it"]);
}

#[test]
fn an_include_never_leaves_the_project() {
    let (direct, elsewhere) = (Direct::new(), tempfile::tempdir().unwrap());
    std::fs::write(elsewhere.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("secret"), direct.path().join("link")).unwrap();
    let up = "../".repeat(20);
    for name in ["/etc/passwd".to_owned(), format!("{up}etc/passwd"), "link".to_owned()] {
        let text = json!({ "text": format!("{{% include '{name}' %}}") });
        let failure = template(&direct, text, json!({}), Value::Null).unwrap_err();
        assert!(failure.message.ends_with("lies outside the project"), "{name}: {}", failure.message);
    }
}

#[test]
fn an_endless_template_ends() {
    let failure =
        refused("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", json!({}));
    assert_eq!(failure.message, "template `(text)`, line 1: the loop takes too many steps");
    let failure = refused("{% for a in range(100000) %}{{ text }}{% endfor %}", json!({ "text": "x".repeat(10_000) }));
    assert_eq!(failure.message, "what `(text)` renders is larger than 16.0 MiB");
    let direct = Direct::new();
    direct.write("self.j2", "{% include 'self.j2' %}");
    assert_eq!(template(&direct, json!("self.j2"), json!({}), Value::Null).unwrap_err().kind, FailureKind::Invalid);
}

#[test]
fn filters_write_what_their_readers_read() {
    let values = json!({ "list": ["a", "<b> & 'c'"], "map": { "k": 1 } });
    assert_eq!(render("{{ list | tojson }}", values.clone()), r#"["a","<b> & 'c'"]"#);
    assert_eq!(render("{{ map | tojson(2) }}", values), "{\n  \"k\": 1\n}");
    assert_eq!(render("a:\n  {{ text | indent(2) }}", json!({ "text": "x\ny" })), "a:\n  x\n  y");
    assert_eq!(render("{{ '' | quote }}{{ 'it\\'s $HOME' | quote }}", json!({})), r"'''it'\''s $HOME'");
    assert_eq!(
        refused("{{ x | env_quote }}", json!({ "x": [1] })).message,
        "template `(text)`, line 1: `env_quote` takes one value, got sequence"
    );
}

#[test]
fn a_quoted_word_survives_a_shell() {
    for word in ["plain", "", "it's", "$HOME `id` \\ \"x\" *", "two\nlines", "-n", "ümläut"] {
        let script = format!("printf %s {}", render("{{ word | quote }}", json!({ "word": word })));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
    }
}

#[test]
fn a_value_survives_an_env_file() {
    let quoted = |value: &str| render("{{ value | env_quote }}", json!({ "value": value }));
    for (value, written) in [
        ("", ""),
        ("postgres://db:5432/x", "postgres://db:5432/x"),
        ("P@$$w0rd", "'P@$$w0rd'"),
        ("secret$HOME", "'secret$HOME'"),
        ("a # b", "'a # b'"),
        ("two\nlines", "'two\nlines'"),
        ("say \"hi\"", "'say \"hi\"'"),
        ("it's", "\"it's\""),
        ("it's ${X} \"q\"", "\"it's \\${X} \\\"q\\\"\""),
        ("back\\slash$1", "\"back\\\\slash\\$1\""),
        ("end\\", "\"end\\\\\""),
    ] {
        assert_eq!(quoted(value), written, "{value:?}");
    }
}

#[test]
fn every_awkward_value_is_read_back_by_compose() {
    let alphabet = ["a", " ", "'", "\"", "\\", "$", "{", "}", "#", "\n", "\r", "="];
    let mut values = vec![String::new()];
    let mut longest = values.clone();
    for _ in 0..4 {
        longest = longest.iter().flat_map(|start| alphabet.map(|next| format!("{start}{next}"))).collect();
        values.extend(longest.iter().cloned());
    }
    for chunk in values.chunks(5_000) {
        let text =
            render("{% for value in values %}\nK={{ value | env_quote }}\n{% endfor %}\n", json!({ "values": chunk }));
        let read = runbook::compose::dotenv::parse(&text, ".env").unwrap();
        assert_eq!(read.len(), chunk.len());
        for (assignment, value) in read.iter().zip(chunk) {
            assert_eq!(&assignment.value, value, "line {}", assignment.line);
        }
    }
}

#[test]
fn a_file_is_written_once_and_the_change_is_shown() {
    let direct = Direct::new();
    direct.write("env.j2", "TAG={{ tag }}\n");
    let write = |tag: &str, options| template(&direct, json!("env.j2"), json!({ "tag": tag }), options).unwrap();
    let outcome = write("v1", json!({ "to": "app.env" }));
    assert_eq!((outcome.changed, outcome.note.as_deref()), (Some(true), Some("created")));
    assert_eq!(outcome.value, json!({ "$kind": "file", "path": "app.env", "changed": true }));
    assert_eq!(write("v1", json!({ "to": "app.env" })).changed, Some(false));
    let outcome = write("v2", json!({ "to": "app.env" }));
    assert_eq!(outcome.note.as_deref(), Some("+1 -1 lines"));
    assert_eq!(direct.lines(), ["info: - TAG=v1", "info: + TAG=v2"]);
    write("v2", json!({ "to": "app.env", "mode": "0600" }));
    assert_eq!(direct.path().join("app.env").metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn wrong_arguments_are_named() {
    let direct = Direct::new();
    assert_eq!(
        template(&direct, json!({ "txt": "x" }), json!({}), Value::Null).unwrap_err().message,
        "argument `source` must be a path, or a map `#{ text: \"…\" }`"
    );
    assert_eq!(
        template(&direct, json!({ "text": "x" }), json!({}), json!({ "mode": "0600" })).unwrap_err().message,
        "option `mode` has no file to apply to"
    );
}

#[test]
fn without_a_file_it_is_a_read() {
    let call = |options| Call {
        receiver: Value::Null,
        args: vec![json!("a"), json!({})],
        options,
        blocks: Vec::new(),
        site: Site::default(),
    };
    let template = primitive("template");
    assert_eq!(template.effect(&call(json!({}))), Effect::Read);
    assert_eq!(template.effect(&call(json!({ "to": "b" }))), Effect::Change);
    assert_eq!(template.preview(&call(json!({ "to": "b" }))), "template a to b");
}

#[test]
fn a_script_renders_a_file_and_sees_a_missing_value() {
    let script = r#"let values = #{ tag: "v1", command: ["sh", "-c", "x"] };
if template("compose.j2", values, #{ to: "compose.yaml" }).changed { info("rendered") }
if !template("compose.j2", values, #{ to: "compose.yaml" }).changed { info("still the same") }
info(template(#{ text: "{{ tag }}!" }, values));
template("compose.j2", #{ tga: "v1", command: [] });"#;
    let source = "image: app:{{ tag }}\ncommand: {{ command | tojson }}\n";
    let project = Project::script(script).file("compose.j2", source);
    let ran = project.run().code(1).says("rendered").says("still the same").says("v1!");
    ran.says("template `compose.j2`, line 1: `tag` is not defined").says("did you mean `tga`?");
    assert_eq!(project.read("compose.yaml"), "image: app:v1\ncommand: [\"sh\",\"-c\",\"x\"]\n");
}

#[test]
fn a_written_template_is_foreseen_and_found_again_after_a_crash() {
    let direct = Direct::new();
    direct.write("out", "port = 80\n");
    let arguments = || json!([{ "text": "port = {{ port }}\n" }, { "port": 8080 }]);
    let options = || json!({ "to": "out" });
    let probe = || direct.probe_with(primitive("template"), Value::Null, arguments(), options()).unwrap();
    let predicted = direct.predict("template", Value::Null, arguments(), options()).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("out")).unwrap(), "port = 80\n");
    direct.dies_before_its_effect("template", Value::Null, arguments(), options());
    assert!(matches!(probe(), Probe::NotDone));
    let outcome = direct.again("template", Value::Null, arguments(), options()).unwrap();
    assert_eq!((&predicted.value, &predicted.changes), (&outcome.value, &outcome.changes));
    assert_eq!(outcome.changes[0].detail, ["1 line added, 1 removed"]);
    let Probe::Done(found) = probe() else { panic!("died after the effect") };
    assert_eq!((found.value, found.changes), (outcome.value, outcome.changes));
    let same = direct.predict("template", Value::Null, arguments(), options()).unwrap();
    assert_eq!((same.changes.len(), same.value["changed"].as_bool()), (0, Some(false)));
}
