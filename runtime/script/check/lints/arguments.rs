//! Arguments whose type is known before the run, and wrong.

use serde_json::{Value, json};

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::guess::literal;
use super::super::scope::Guess;
use super::super::tree::{Call, Kind, Node};
use super::super::walk::Lint;
use crate::failure::Finding;
use crate::primitive::{BlockRef, Spec, Ty, handle};

pub(super) struct Arguments;

impl Lint for Arguments {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        let Some(call) = node.call() else { return };
        if let Callee::Primitive(spec) = cx.callee(call)
            && cx.fits(spec, call)
        {
            check(cx, call, spec);
        }
    }
}

fn check(cx: &mut Cx<'_>, call: &Call, spec: &'static Spec) {
    let count = call.args.len();
    for (index, (arg, node)) in spec.args.iter().zip(&call.args).enumerate() {
        let guess = cx.guess(node);
        if arg.optional && guess == Guess::Nothing {
            continue;
        }
        if index + 1 == count && spec.options.is_some() && guess == Guess::Map && wrong(cx, arg.ty, node).is_some() {
            // It is the options map; if an argument is missing, that is said elsewhere.
            continue;
        }
        if let Some(why) = wrong(cx, arg.ty, node) {
            let finding = error("wrong-type", node.at, format!("`{}`: argument `{}` {why}", spec.name, arg.name));
            cx.report(suggest(finding, arg.ty, node, spec));
        }
    }
}

/// Why a value cannot be of the type, as far as that is known.
pub(super) fn wrong(cx: &Cx<'_>, ty: Ty, node: &Node) -> Option<String> {
    let guess = cx.guess(node);
    let calls_primitive = |call: &Call| matches!(cx.callee(call), Callee::Primitive(_) | Callee::OneOf(_));
    if ty == Ty::Block && guess == Guess::Unknown && node.call().is_some_and(calls_primitive) {
        return Some(format!("must be {}, and this is the value that a call returns", ty.label()));
    }
    if let Some(value) = literal(node) {
        return ty.check(&value).err();
    }
    if guess == Guess::Text && takes_text(ty) {
        return None;
    }
    // A secret stands for its text wherever it is handed over.
    if guess == Guess::Handle("secret") && ty.check(&json!("text")).is_ok() {
        return None;
    }
    ty.check(&sample(guess)?).err()
}

/// A text whose content is not known yet may still be a duration.
fn takes_text(ty: Ty) -> bool {
    match ty {
        Ty::Any | Ty::Str | Ty::Duration | Ty::Size => true,
        Ty::OneOf(types) => types.iter().any(|ty| takes_text(*ty)),
        _ => false,
    }
}

/// A value of the kind that was guessed.
fn sample(guess: Guess) -> Option<Value> {
    Some(match guess {
        Guess::Unknown => return None,
        Guess::Nothing => Value::Null,
        Guess::Bool => json!(true),
        Guess::Int => json!(1),
        Guess::Float => json!(1.5),
        Guess::Text => json!("text"),
        Guess::List => json!([]),
        Guess::Map => json!({}),
        Guess::Closure(_) => BlockRef(0).to_value(),
        Guess::Handle(kind) => handle(kind, json!({})),
    })
}

fn suggest(finding: Finding, ty: Ty, node: &Node, spec: &Spec) -> Finding {
    match (&node.kind, ty) {
        (Kind::Int(number), Ty::Duration) => {
            finding.hint(format!("did you mean \"{number}s\"?")).replace(format!("\"{number}s\""))
        }
        (Kind::Text(command), Ty::Strings) => match words(command) {
            Some(list) => {
                finding.hint(format!("write `{list}`: arguments are passed as they are, without a shell")).replace(list)
            }
            None => finding
                .hint(
                    "arguments are passed as they are, without a shell: pipes, `&&` and `>` are written in the script",
                )
                .hint(format!("for example: {}", spec.example)),
        },
        (Kind::List(items), Ty::Strings) => match items.iter().find(|item| item.text().is_none()) {
            Some(Node { kind: Kind::Int(number), .. }) => {
                finding.hint(format!("write \"{number}\": every item is a string"))
            }
            _ => finding.hint("every item is a string"),
        },
        (Kind::Text(text), Ty::Int | Ty::Bool) if text.parse::<i64>().is_ok() || text.parse::<bool>().is_ok() => {
            finding.hint(format!("write {text} without quotes")).replace(text.clone())
        }
        (Kind::Call(call), Ty::Block) => {
            let receiver = if call.receiver.is_some() { "…." } else { "" };
            let called = format!("{receiver}{}(…)", call.name);
            finding.hint(format!("this calls `{called}` at once; hand over a closure: `|| {called}`"))
        }
        (_, Ty::Block) => finding.hint("a block of calls is handed over as a closure: `|| { … }`"),
        _ => finding.hint(format!("for example: {}", spec.example)),
    }
}

/// `"ls -l /srv"` as `["ls", "-l", "/srv"]`, when no shell would be needed for it.
fn words(command: &str) -> Option<String> {
    if command.contains(['|', '&', ';', '<', '>', '$', '`', '"', '\'', '\\', '*', '(']) {
        return None;
    }
    let words: Vec<String> = command.split_whitespace().map(|word| format!("\"{word}\"")).collect();
    (!words.is_empty()).then(|| format!("[{}]", words.join(", ")))
}
