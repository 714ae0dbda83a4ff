//! What functions are given by their callers.

use std::collections::BTreeMap;

use super::program::File;
use super::scope::Guess;
use super::tree::{Call, Function};

/// What is known about one argument of one call: its value, and the call that made it when it is a handle.
type Argument<'a> = (Guess, Option<&'a Call>);

/// The arguments of the calls of a file's functions that the walk has passed.
#[derive(Default)]
pub(super) struct Given<'a> {
    calls: BTreeMap<String, Vec<Vec<Argument<'a>>>>,
}

impl<'a> Given<'a> {
    pub fn note(&mut self, function: &str, arguments: Vec<Argument<'a>>) {
        self.calls.entry(function.to_owned()).or_default().push(arguments);
    }

    /// Have all calls of the function been passed, in a file that nobody else can call it from?
    pub fn complete(&self, file: &File, function: &Function) -> bool {
        let passed = self.calls.get(&function.name).map_or(0, Vec::len);
        let only_here = !file.is_module || function.private;
        only_here
            && passed > 0
            && file.tree.calls.get(&function.name) == Some(&passed)
            && !file.tree.values.contains(&function.name)
    }

    /// What every caller passes; nothing is known when they differ or when there may be other callers.
    pub fn argument(&self, file: &File, function: &Function, index: usize) -> Argument<'a> {
        const NOTHING: Argument<'static> = (Guess::Unknown, None);
        if !self.complete(file, function) {
            return NOTHING;
        }
        let calls = self.calls.get(&function.name).into_iter().flatten();
        let mut arguments = calls.map(|arguments| arguments.get(index).copied().unwrap_or(NOTHING));
        let Some((guess, maker)) = arguments.next() else { return NOTHING };
        arguments.fold((guess, maker), |(guess, maker), (other, other_maker)| {
            let same = |a: &Call, b: &Call| std::ptr::eq(a, b);
            let maker = maker.zip(other_maker).filter(|(a, b)| same(a, b)).map(|(maker, _)| maker);
            (if guess == other { guess } else { Guess::Unknown }, maker)
        })
    }
}
