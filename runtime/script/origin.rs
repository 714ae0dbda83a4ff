use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use rhai::{AST, Module, Position};

use super::foresight::Insertions;
use crate::primitive::Site;

/// Which text a closure was written in, and the functions it sees.
///
/// Rhai runs a closure that native code calls with the source and the functions of whoever called the native function;
/// a closure of the runbook inside a function of a module would then report the module's file and find its functions.
#[derive(Clone, Default)]
pub(super) struct Origins {
    closures: Arc<RwLock<HashMap<String, Origin>>>,
    /// By file: what was put into its text before it was compiled.
    insertions: Arc<RwLock<HashMap<String, Insertions>>>,
}

#[derive(Clone)]
pub(super) struct Origin {
    /// The file's path.
    pub(super) source: String,
    /// The script functions of that file.
    pub(super) functions: Arc<Module>,
    /// The parameters it declares, captured variables included.
    pub(super) parameters: usize,
}

impl Origins {
    /// Notes every function of a compiled text.
    pub(super) fn note(&self, ast: &AST, source: &str) {
        let Ok(mut known) = self.closures.write() else { return };
        for function in ast.iter_functions().filter(|function| function.name.starts_with("anon$")) {
            known.insert(
                function.name.to_owned(),
                Origin {
                    source: source.to_owned(),
                    functions: ast.shared_lib().clone(),
                    parameters: function.params.len(),
                },
            );
        }
    }

    /// The origin of a closure by its generated name.
    pub(super) fn find(&self, closure: &str) -> Option<Origin> {
        self.closures.read().ok()?.get(closure).cloned()
    }

    /// Notes what was put into a text before it was compiled.
    pub(super) fn note_insertions(&self, source: &str, insertions: Insertions) {
        if let Ok(mut known) = self.insertions.write() {
            known.insert(source.to_owned(), insertions);
        }
    }

    /// A position as the author of the text knows it; none for what has no position.
    pub(super) fn site(&self, source: &str, position: Position) -> Option<Site> {
        let known = self.insertions.read().ok()?;
        let (line, column) = match known.get(source) {
            Some(insertions) => insertions.written(position)?,
            None => (position.line()?, position.position().unwrap_or(1)),
        };
        Some(Site { file: source.to_owned(), line, column })
    }
}
