//! Eighty payloads in every string parameter of every primitive: no command of theirs is ever run.

use std::path::Path;
use std::time::Instant;

use runbook::primitive::{Primitive, Spec, Ty};
use serde_json::{Value, json};

use super::table::{FREE, examples, receiver};
use crate::harness::{Direct, primitive};

/// Ten ways to smuggle a command in, in eight wrappings.
fn payloads(canary: &Path) -> Vec<String> {
    let touch = format!("touch {}", canary.display());
    let touch_without_blank = touch.replace(' ', "${IFS}");
    let smuggled = [
        format!("; {touch} ;"),
        format!("$({touch})"),
        format!("`{touch}`"),
        format!("| {touch}"),
        format!("&& {touch} &&"),
        format!("\n{touch}\n"),
        format!("--upload-pack={touch_without_blank}"),
        format!("-oProxyCommand={touch_without_blank}"),
        format!("ext::sh -c {}", touch.replace(' ', "% ")),
        format!("{{{{ cycler.__init__.__globals__.os.popen('{touch}') }}}}"),
    ];
    let wrappings = ["@", "x@", "@x", "\"@\"", "'@'", "x\" @ \"", "x' @ '", "../@"];
    smuggled.iter().flat_map(|text| wrappings.map(|wrapping| wrapping.replace('@', text))).collect()
}

/// A place for a text: the number of the argument, or none for an option; its name; and the form a text has there.
type Place = (Option<usize>, &'static str, fn(&str) -> Value);

/// Where texts can stand: an argument, or an option, in the form its type has.
fn places(spec: &Spec) -> Vec<Place> {
    let alone: fn(&str) -> Value = |text| json!(text);
    let listed: fn(&str) -> Value = |text| json!(["true", text]);
    let mapped: fn(&str) -> Value = |text| json!({ "NAME": text });
    let form = |ty: Ty| match ty {
        Ty::Str => Some(alone),
        Ty::Strings => Some(listed),
        Ty::OneOf(types) if types.contains(&Ty::Str) => Some(alone),
        _ => None,
    };
    let args = spec.args.iter().enumerate().filter_map(|(at, arg)| Some((Some(at), arg.name, form(arg.ty)?)));
    let options = spec.options.into_iter().flat_map(|options| options.options).filter_map(|option| {
        let form = match (option.label)().as_str() {
            "string" => alone,
            "list of strings" => listed,
            "map of strings" => mapped,
            _ => return None,
        };
        Some((None, option.name, form))
    });
    args.chain(options).collect()
}

#[test]
fn no_payload_in_any_parameter_is_run() {
    let direct = Direct::new();
    direct.write("compose.yaml", "services: { web: { image: x } }\n").write("secret", "kept");
    // A name would be asked for thousands of times, of a server that is none of this machine's.
    direct.write("runbook.toml", "[project]\nname = 'x'\n[host.web]\naddress = '127.0.0.1'\nport = 1\n");
    std::process::Command::new("git").args(["init", "-q"]).current_dir(direct.path()).status().unwrap();
    let canary = direct.path().join("CANARY");
    let payloads = payloads(&canary);
    assert_eq!(payloads.len(), 80);
    // Nobody answers there: what would be asked of an engine ends at once.
    let settled = |value: &Value| -> Value {
        let text = value.to_string().replace("OUTSIDE", direct.path().to_str().unwrap());
        serde_json::from_str(&text.replace("ENGINE", "127.0.0.1:1").replace("SERVER", "127.0.0.1:1")).unwrap()
    };
    let mut count = 0;
    for found in runbook::primitives::all() {
        let name = found.spec().qualified_name();
        let example = examples().into_iter().find(|example| example.name == name);
        if example.is_none() && FREE.contains(&name.as_str()) && name != "disk_free" {
            continue;
        }
        let (args, options) = example.map_or((json!([]), json!({})), |example| (example.args, example.options));
        let began = Instant::now();
        for (at, parameter, form) in places(found.spec()) {
            // A program that is named by the script is what it runs: only its arguments are smuggled into.
            for payload in &payloads {
                let (mut args, mut options) = (settled(&args), settled(&options));
                match at {
                    Some(at) => {
                        let list = args.as_array_mut().unwrap();
                        list.resize(list.len().max(at + 1), Value::Null);
                        list[at] = form(payload);
                    }
                    None => drop(options.as_object_mut().unwrap().insert(parameter.to_owned(), form(payload))),
                }
                shorten(found, &mut options);
                let _ = direct.call_on(primitive(&name), settled(&receiver(&name)), args, options);
                count += 1;
            }
            assert!(!canary.exists(), "`{name}` ran a payload in `{parameter}`");
        }
        eprintln!("{name}: {:?}", began.elapsed());
    }
    assert!(count > 3_000, "{count} calls");
    eprintln!("{count} calls, no effect");
}

/// What may wait waits a second at most.
fn shorten(primitive: &dyn Primitive, options: &mut Value) {
    let spec = primitive.spec();
    for name in ["timeout", "within", "wait"] {
        if spec.options.is_some_and(|all| all.find(name).is_some_and(|option| (option.label)() == "duration")) {
            options[name] = json!("1s");
        }
    }
}
