//! Functions of a script that take the name of something that is there already.

use super::super::cx::Cx;
use super::super::finding::{Details, error};
use super::super::known;
use super::super::walk::Lint;

pub(super) struct Shadowing;

impl Lint for Shadowing {
    fn file(&mut self, cx: &mut Cx<'_>) {
        let file = cx.file;
        for function in &file.tree.functions {
            let name = &function.name;
            // A function replaces a primitive for every caller, the standard library included.
            let what = if cx.known.function(name).is_some() {
                "the primitive"
            } else if cx.known.methods_named(name).iter().any(|spec| fits(spec, function.params.len())) {
                "the method"
            } else if known::special(name)
                || known::language(name).is_some_and(|counts| counts.contains(&function.params.len()))
            {
                "the built-in function"
            } else {
                continue;
            };
            let finding = error("hides-built-in", function.at, format!("function `{name}` hides {what} `{name}`"));
            cx.report(finding.hint("give it another name"));
        }
    }
}

/// A method is called with its receiver first: `fn up(app)` answers `app.up()` too.
fn fits(spec: &crate::primitive::Spec, parameters: usize) -> bool {
    let most = spec.args.len() + usize::from(spec.options.is_some());
    (spec.required()..=most + 1).contains(&parameters)
}
