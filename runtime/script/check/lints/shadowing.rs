//! Functions of a script that take the name of something that is there already.

use super::super::cx::Cx;
use super::super::finding::{Details, error, warning};
use super::super::known;
use super::super::walk::Lint;

pub(super) struct Shadowing;

impl Lint for Shadowing {
    fn file(&mut self, cx: &mut Cx<'_>) {
        let file = cx.file;
        // `deploy::compose` is known to nobody but the library's own module, which does not call the primitive.
        if file.path.starts_with("std/") {
            return;
        }
        for function in &file.tree.functions {
            let name = &function.name;
            let parameters = function.params.len();
            // A function replaces a primitive for every caller, the standard library included.
            let what = if cx.known.function(name).is_some() {
                "the primitive"
            } else if !cx.known.methods_named(name).is_empty() && called_as_method(cx, name, parameters) {
                "the method"
            } else if known::language(name).is_some_and(|counts| counts.contains(&parameters)) {
                let message = format!("function `{name}` hides the built-in function `{name}`");
                cx.report(warning("hides-built-in", function.at, message).hint("give it another name"));
                continue;
            } else {
                continue;
            };
            let message = format!("function `{name}` hides {what} `{name}`");
            cx.report(error("hides-built-in", function.at, message).hint("give it another name"));
        }
    }
}

/// `app.up(x)` calls a function `up` with one parameter, if there is one, wherever in the program it stands.
fn called_as_method(cx: &Cx<'_>, name: &str, arguments: usize) -> bool {
    let key = (name.to_owned(), arguments);
    cx.program.files.values().any(|file| file.tree.methods.contains(&key))
}
