//! Functions and methods that do not exist, and calls with the wrong number of arguments.

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::known;
use super::super::names;
use super::super::scope::Guess;
use super::super::tree::{Call, Function, Kind, Node};
use super::super::walk::Lint;
use crate::failure::nearest;
use crate::primitive::{Arg, Spec};

pub(super) struct Calls;

impl Lint for Calls {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        match &node.kind {
            Kind::Call(call) => check(cx, call),
            Kind::Field { of, name } => field(cx, node, of, name),
            _ => {}
        }
    }
}

fn check(cx: &mut Cx<'_>, call: &Call) {
    let count = call.args.len();
    let receiver = call.receiver.is_some();
    match cx.callee(call) {
        Callee::Opaque => {}
        Callee::Primitive(spec) => {
            if !cx.fits(spec, call) {
                wrong_count_of(cx, call, spec);
            }
        }
        Callee::OneOf(specs) => {
            if !specs.iter().any(|spec| cx.fits(spec, call)) {
                wrong_count_of(cx, call, specs[0]);
            }
        }
        Callee::Script(functions) => {
            if !functions.iter().any(|function| function.params.len() == count) {
                wrong_count_of_function(cx, call, functions[0]);
            }
        }
        Callee::Language(counts) => {
            let given = count + usize::from(receiver);
            if !counts.contains(&given) {
                let takes: Vec<String> =
                    counts.iter().map(|n| n.saturating_sub(usize::from(receiver)).to_string()).collect();
                let message = format!("`{}` takes {} arguments, got {count}", call.name, takes.join(" or "));
                cx.report(error("wrong-arguments", call.at, message));
            }
        }
        Callee::Unknown => unknown(cx, call),
    }
}

fn wrong_count_of(cx: &mut Cx<'_>, call: &Call, spec: &Spec) {
    let count = call.args.len();
    let missing = (count < spec.required()).then(|| missing(cx, call, spec)).flatten();
    let message = match missing {
        Some(arg) => {
            format!("`{}` needs {}: `{}` is missing", spec.name, names::count(spec.required(), "argument"), arg.name)
        }
        None if spec.args.is_empty() => format!("`{}` takes no arguments, got {count}", spec.name),
        None => format!("`{}` takes {}, got {count}", spec.name, names::count(spec.args.len(), "argument")),
    };
    let finding = error("wrong-arguments", call.at, message);
    cx.report(
        finding.hint(format!("it is written `{}`", spec.signature())).hint(format!("for example: {}", spec.example)),
    );
}

/// The first argument that none of the values given can be.
fn missing<'s>(cx: &Cx<'_>, call: &Call, spec: &'s Spec) -> Option<&'s Arg> {
    let mut given = call.args.iter().peekable();
    spec.args
        .iter()
        .filter(|arg| !arg.optional)
        .find(|arg| given.next_if(|node| super::arguments::wrong(cx, arg.ty, node).is_none()).is_none())
}

fn wrong_count_of_function(cx: &mut Cx<'_>, call: &Call, function: &Function) {
    let (takes, count) = (function.params.len(), call.args.len());
    let message = format!("`{}` takes {}, got {count}", call.written(), names::count(takes, "argument"));
    let finding = error("wrong-arguments", call.at, message);
    cx.report(finding.hint(format!("it is defined as `fn {}({})`", function.name, function.params.join(", "))));
}

fn unknown(cx: &mut Cx<'_>, call: &Call) {
    if let Some((alias, _)) = &call.module {
        unknown_in_module(cx, call, alias);
        return;
    }
    match &call.receiver {
        Some(receiver) => unknown_method(cx, call, cx.guess(receiver)),
        None => unknown_function(cx, call),
    }
}

fn unknown_function(cx: &mut Cx<'_>, call: &Call) {
    let name = &call.name;
    let finding = error("unknown-function", call.at, format!("there is no function `{name}`"));
    if cx.scope.find(name).is_some() {
        cx.report(finding.hint(format!("`{name}` is a variable: a closure it holds is called with `{name}.call(…)`")));
        return;
    }
    if let [first, ..] = cx.known.methods_named(name) {
        let owner = first.receiver.unwrap_or_default();
        cx.report(finding.hint(format!("`{name}` is a method of a {owner} handle: write `{owner}.{name}(…)`")));
        return;
    }
    let own = cx.file.tree.functions.iter().map(|function| function.name.as_str());
    // A word of another tool says more than a function of the language that happens to look like it.
    let near = nearest(name, cx.known.functions().chain(own));
    let finding = match habit(name).filter(|_| near.is_none()) {
        Some(hint) => finding.hint(hint),
        None => finding.did_you_mean(near.or_else(|| nearest(name, known::language_names()))),
    };
    cx.report(finding);
}

/// What people try who come from other tools.
fn habit(name: &str) -> Option<&'static str> {
    Some(match name {
        "exec" | "run" | "system" | "shell" | "bash" | "cmd" | "command" => {
            "a command is run with `sh([\"program\", \"argument\"])`"
        }
        "echo" | "log" | "println" | "printf" | "puts" => "a line is logged with `info(\"…\")` or `warn(\"…\")`",
        "curl" | "get" | "fetch" | "http" | "wget" => "an address is asked with `http_check(\"https://…\")`",
        "task" | "stage" | "job" => "calls are grouped with `step(\"name\", || { … })`",
        "wait" | "delay" => "waiting is `sleep(\"5s\")`, or `wait_until` with a condition",
        "fail" | "abort" | "die" | "error" | "raise" | "panic" => "a run is ended with `throw \"reason\"`",
        "rollback" | "defer" | "finally" | "on_error" => "a way back is registered with `undo(\"name\", || { … })`",
        "read" | "open" | "write" | "cat" => "files are read and written with `file(\"path\")`",
        "timestamp" | "time" | "date" | "today" | "datetime" | "strftime" | "clock" => {
            "the time is `now()`: `now().iso`, `now().date`, `now().stamp` for names, `now().unix` to count"
        }
        "rand" | "rand_int" | "rand_float" | "uuid" | "shuffle" => {
            "chance is `random(#{ bytes: 16 })`, `random(#{ from: 1, to: 6 })` or `random(#{ of: list })`"
        }
        "getenv" | "env" | "environ" => {
            "a variable of this process is read with `env_var(\"NAME\")`, a key of the environment with `env::key`"
        }
        "hostname" | "whoami" | "uname" | "nproc" | "host" => "facts about this machine are in `this_machine()`",
        _ => return None,
    })
}

fn unknown_method(cx: &mut Cx<'_>, call: &Call, receiver: Guess) {
    let name = &call.name;
    let finding = if let Guess::Handle(kind) = receiver {
        let finding = error("unknown-method", call.at, format!("a {kind} handle has no method `{name}`"));
        let methods: Vec<&str> = cx.known.methods_of(kind).collect();
        match nearest(name, methods.iter().copied()) {
            Some(near) => finding.did_you_mean(Some(near)),
            None => finding.hint(format!("its methods are {}", names::list(methods))),
        }
    } else {
        let finding = error("unknown-method", call.at, format!("there is no method `{name}`"));
        let near = match receiver {
            Guess::Unknown => nearest(name, cx.known.method_names().chain(known::language_names())),
            _ => nearest(name, known::language_names()),
        };
        finding.did_you_mean(near)
    };
    cx.report(finding);
}

fn unknown_in_module(cx: &mut Cx<'_>, call: &Call, alias: &str) {
    let Some(module) = cx.program.module(&cx.file.path, alias) else { return };
    let (name, path) = (&call.name, &module.path);
    if let [private, ..] = Cx::functions(module, name).as_slice() {
        let finding = error("private-function", call.at, format!("`{name}` is private in `{path}`"));
        cx.report(
            finding.hint(format!("remove `private` in line {} there, or use a public function", private.at.line)),
        );
        return;
    }
    let public: Vec<&str> = module.tree.functions.iter().filter(|f| !f.private).map(|f| f.name.as_str()).collect();
    let near = nearest(name, public.iter().copied());
    let finding = error("unknown-function", call.at, format!("module `{path}` has no function `{name}`"));
    cx.report(match near {
        Some(near) => finding.did_you_mean(Some(near)),
        None if public.is_empty() => finding.hint("it has no public functions"),
        None => finding.hint(format!("it has {}", names::list(public))),
    });
}

/// `app.ps` reads a field, and the field a method has the name of does not exist.
fn field(cx: &mut Cx<'_>, node: &Node, of: &Node, name: &str) {
    let value = cx.guess(of);
    let plain = match value {
        Guess::Text => "a string",
        Guess::Int | Guess::Float => "a number",
        Guess::List => "a list",
        Guess::Bool => "a bool",
        _ => "",
    };
    if !plain.is_empty() && !known::property(name) {
        let finding = error("unknown-field", node.at, format!("{plain} has no field `{name}`"));
        cx.report(match known::language(name) {
            Some(_) => finding.hint(format!("write `.{name}(…)`: it is a method")),
            None => finding,
        });
        return;
    }
    let Guess::Handle(kind) = value else { return };
    let Some(spec) = cx.known.method(kind, name) else { return };
    let arguments = if spec.required() == 0 { "()" } else { "(…)" };
    let message = format!("`{name}` is a method and is not called here");
    let finding = error("method-not-called", node.at, message).hint(format!("write `.{name}{arguments}`"));
    cx.report(if spec.required() == 0 { finding.replace(format!("{name}()")) } else { finding });
}
