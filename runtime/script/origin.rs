use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use rhai::{AST, Module};

/// Which text a closure was written in, and the functions it sees.
///
/// Rhai runs a closure that native code calls with the source and the functions of whoever called the native function;
/// a closure of the runbook inside a function of a module would then report the module's file and find its functions.
#[derive(Clone, Default)]
pub(super) struct Origins(Arc<RwLock<HashMap<String, Origin>>>);

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
        let Ok(mut known) = self.0.write() else { return };
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
        self.0.read().ok()?.get(closure).cloned()
    }
}
