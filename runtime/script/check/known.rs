//! What a script may call: primitives by their `Spec`, and the functions that come with the language.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::primitive::Spec;
use crate::script::engine;

/// Primitives by name, functions and methods apart.
pub(super) struct Known {
    functions: BTreeMap<&'static str, &'static Spec>,
    methods: BTreeMap<&'static str, Vec<&'static Spec>>,
}

impl Known {
    pub fn new(specs: &[&'static Spec]) -> Self {
        let mut known = Self { functions: BTreeMap::new(), methods: BTreeMap::new() };
        for spec in specs {
            match spec.receiver {
                None => drop(known.functions.insert(spec.name, spec)),
                Some(_) => known.methods.entry(spec.name).or_default().push(spec),
            }
        }
        known
    }

    pub fn function(&self, name: &str) -> Option<&'static Spec> {
        self.functions.get(name).copied()
    }

    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().copied()
    }

    /// The methods of that name, of every kind of handle.
    pub fn methods_named(&self, name: &str) -> &[&'static Spec] {
        self.methods.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn method(&self, kind: &str, name: &str) -> Option<&'static Spec> {
        self.methods_named(name).iter().find(|spec| spec.receiver == Some(kind)).copied()
    }

    pub fn method_names(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().copied()
    }

    pub fn methods_of(&self, kind: &str) -> impl Iterator<Item = &'static str> {
        self.methods.iter().filter(move |(_, specs)| specs.iter().any(|spec| spec.receiver == Some(kind))).map(|m| *m.0)
    }
}

/// Names that the compiler and the evaluator treat themselves, so that no table of functions lists them.
const SPECIAL: &[&str] = &["Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn", "type_of", "print", "debug"];

/// How many arguments each function of the language takes, a method's receiver counted.
static LANGUAGE: LazyLock<BTreeMap<String, BTreeSet<usize>>> = LazyLock::new(|| {
    let engine = engine::bare();
    let all =
        engine.collect_fn_metadata(None, |info| Some((info.metadata.name.to_string(), info.metadata.num_params)), true);
    let mut table: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (name, parameters) in all.into_iter().filter(|(name, _)| super::names::is_word(name)) {
        table.entry(name).or_default().insert(parameters);
    }
    table
});

/// Properties of the language's own values, such as `len` of a list.
static PROPERTIES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let engine = engine::bare();
    let getter = |name: &str| name.strip_prefix("get$").map(str::to_owned);
    engine.collect_fn_metadata(None, |info| getter(&info.metadata.name), true).into_iter().collect()
});

/// Has any value of the language (not a map, not a handle) such a property?
pub(super) fn property(name: &str) -> bool {
    PROPERTIES.contains(name)
}

/// The numbers of arguments that a function of the language takes; `None` when there is no such function.
pub(super) fn language(name: &str) -> Option<&'static BTreeSet<usize>> {
    LANGUAGE.get(name)
}

/// Is this a function whose call the evaluator handles itself?
pub(super) fn special(name: &str) -> bool {
    SPECIAL.contains(&name)
}

/// The names of the language's functions.
pub(super) fn language_names<'n>() -> impl Iterator<Item = &'n str> {
    LANGUAGE.keys().map(String::as_str).chain(SPECIAL.iter().copied())
}

/// Methods that change the list, map or string they are called on, and have no value.
const ONLY_CHANGE: &[&str] = &[
    "append",
    "chop",
    "clear",
    "crop",
    "dedup",
    "fill_with",
    "insert",
    "make_lower",
    "make_upper",
    "mixin",
    "pad",
    "push",
    "replace",
    "reverse",
    "set",
    "sort",
    "splice",
    "trim",
    "truncate",
];

/// Does this method change the list, map or string it is called on, and has no value?
pub(super) fn only_changes(name: &str) -> bool {
    ONLY_CHANGE.contains(&name)
}

/// Does this method change the list, map or string it is called on?
pub(super) fn changes_receiver(name: &str) -> bool {
    only_changes(name) || matches!(name, "drain" | "extract_from" | "pop" | "remove" | "retain" | "shift")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_changes_its_receiver_has_no_value() {
        let calls = [
            "[1].append([2])",
            "[1].chop(1)",
            "[1].clear()",
            "let s = \"ab\"; s.crop(1)",
            "[1, 1].dedup()",
            "#{ a: 1 }.fill_with(#{ b: 1 })",
            "[1].insert(0, 2)",
            "let s = \"a\"; s.make_lower()",
            "let s = \"a\"; s.make_upper()",
            "#{ a: 1 }.mixin(#{ b: 1 })",
            "[1].pad(3, 0)",
            "[1].push(2)",
            "let s = \"ab\"; s.replace(\"a\", \"b\")",
            "[1].reverse()",
            "[1].set(0, 2)",
            "[2, 1].sort()",
            "[1, 2].splice(0, 1, [])",
            "let s = \" a\"; s.trim()",
            "[1, 2].truncate(1)",
        ];
        assert_eq!(calls.len(), ONLY_CHANGE.len());
        let engine = engine::bare();
        for (call, name) in calls.iter().zip(ONLY_CHANGE) {
            assert!(call.contains(&format!(".{name}(")), "{call}");
            let value = engine.eval::<rhai::Dynamic>(call).unwrap_or_else(|error| panic!("{call}: {error}"));
            assert!(value.is_unit(), "{call} is {value:?}");
        }
    }
}
