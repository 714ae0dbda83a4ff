//! The texts of a program and how they import each other.

use std::collections::BTreeMap;
use std::path::Path;

use super::source::Source;
use super::syntax;
use super::tree::{At, Kind, Node, Statement, StatementKind, Tree};
use super::{compile, lower};
use crate::failure::{Failure, Finding};
use crate::script::Library;

/// One text.
pub(super) struct File {
    pub path: String,
    pub source: Source,
    pub tree: Tree,
    /// Does it compile? One that does not has an empty tree, and nothing is concluded from that.
    pub compiles: bool,
    /// Is it imported by another one? Then that may call its functions.
    pub is_module: bool,
    /// Imports, in source order.
    pub imports: Vec<Import>,
}

/// One `import` statement with a literal path.
pub(super) struct Import {
    pub at: At,
    pub alias: String,
    /// The path as written.
    pub written: String,
    /// The file it names, or why there is none.
    pub target: Result<String, (String, Vec<String>)>,
}

/// A runbook and its modules.
pub(super) struct Program {
    pub files: BTreeMap<String, File>,
    pub runbook: String,
}

impl Program {
    /// Reads the library's texts; what does not compile becomes a finding.
    ///
    /// A library looks for imports only in texts without a mistake, so a module it lacks is looked for on disk.
    pub fn load(project: &Path, library: &Library, findings: &mut Vec<Finding>) -> Self {
        let runbook = library.runbook().to_owned();
        let mut open = vec![(runbook.clone(), library.text(&runbook).unwrap_or_default().to_owned())];
        let mut program = Self { files: BTreeMap::new(), runbook };
        while let Some((path, text)) = open.pop() {
            if program.files.contains_key(&path) {
                continue;
            }
            let source = Source::new(&text);
            let (tree, compiles) = match compile::compile(&text) {
                Ok(ast) => (lower::lower(&ast, &source), true),
                Err(error) => {
                    let mut finding = syntax::explain(&error, &source);
                    finding.file.clone_from(&path);
                    findings.push(finding);
                    (Tree::default(), false)
                }
            };
            let mut imports = Vec::new();
            let bodies = tree.functions.iter().map(|function| &function.body);
            let bodies = bodies.chain(tree.closures.values().map(|closure| &closure.body));
            let mut visit = |path_node: &Node, alias: &str| {
                let Some(written) = path_node.text() else { return };
                let target = find(project, library, &path, written).map(|(found, text)| {
                    open.push((found.clone(), text));
                    found
                });
                let target = target.map_err(|failure| (failure.message, failure.hints));
                imports.push(Import { at: path_node.at, alias: alias.to_owned(), written: written.to_owned(), target });
            };
            std::iter::once(&tree.body).chain(bodies).for_each(|body| collect_imports(body, &mut visit));
            program.files.insert(
                path.clone(),
                File { is_module: path != program.runbook, path, source, tree, compiles, imports },
            );
        }
        program
    }

    /// The module that `alias` names in a file.
    pub fn module(&self, file: &str, alias: &str) -> Option<&File> {
        let import = self.files.get(file)?.imports.iter().rfind(|import| import.alias == alias)?;
        self.files.get(import.target.as_ref().ok()?)
    }
}

fn find(project: &Path, library: &Library, from: &str, written: &str) -> Result<(String, String), Failure> {
    if let Some(path) = library.import_path(from, written)
        && let Some(text) = library.text(&path)
    {
        return Ok((path.clone(), text.to_owned()));
    }
    crate::script::library::locate(project, from, written).map(|found| (found.path, found.text))
}

/// Calls `visit` with the path and the alias of every import statement, however deep in blocks.
fn collect_imports(statements: &[Statement], visit: &mut impl FnMut(&Node, &str)) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Import { path, alias } => visit(path, alias),
            StatementKind::Block(body) | StatementKind::While { body, .. } | StatementKind::For { body, .. } => {
                collect_imports(body, visit);
            }
            StatementKind::If { then, otherwise, .. } => {
                collect_imports(then, visit);
                collect_imports(otherwise, visit);
            }
            StatementKind::Try { body, handler, .. } => {
                collect_imports(body, visit);
                collect_imports(handler, visit);
            }
            StatementKind::Switch { arms, .. } => {
                for arm in arms {
                    if let Kind::Block(body) = &arm.value.kind {
                        collect_imports(body, visit);
                    }
                }
            }
            _ => {}
        }
    }
}
