//! A program: a library compiled for one run, and its execution.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::bind::Binding;
use super::foresight::Insertions;
use super::origin::Origins;
use super::{Library, bind, convert, engine, fault, foresight, unknown};
use crate::primitive::{Failure, FailureKind, Primitive, unknown_in_text};
use crate::project::Environment;
use crate::run::{Door, Ending};
use rhai::{
    AST, ASTNode, Dynamic, Engine, EvalAltResult, Expr, FuncRegistration, Module, ModuleResolver, NativeCallContext,
    Position, Scope, Stmt,
};

/// A runbook with its modules, ready to run once.
pub struct Program {
    engine: Arc<Engine>,
    ast: AST,
    origins: Origins,
    runbook: Arc<str>,
}

impl Program {
    /// Compiles the runbook and binds the primitives to the door.
    pub fn compile(
        library: &Library,
        environment: &Environment,
        primitives: &[&'static dyn Primitive],
        door: &Arc<dyn Door>,
    ) -> Result<Self, Failure> {
        let origins = Origins::default();
        let runbook: Arc<str> = library.runbook().into();
        let engine = Arc::new_cyclic(|weak| {
            let mut engine = engine::language();
            let binding = Binding {
                door: door.clone(),
                origins: origins.clone(),
                engine: weak.clone(),
                runbook: runbook.clone(),
            };
            bind::register(&mut engine, primitives, &binding);
            unknown::register(&mut engine, &binding);
            foresight::register(&mut engine, &binding);
            register_environment(&mut engine, environment);
            engine.set_module_resolver(Modules {
                library: library.clone(),
                origins: origins.clone(),
                is_planning: door.is_planning(),
                loaded: Mutex::default(),
                opening: Mutex::default(),
            });
            watch(&mut engine, door);
            engine
        });
        let text = library.text(library.runbook()).unwrap_or_default();
        let ast = compile(&engine, text, &runbook, &origins, door.is_planning());
        let ast = ast.map_err(|error| syntax(&runbook, &error))?;
        Ok(Self { engine, ast, origins, runbook })
    }

    /// Runs the script on the current thread, to its end.
    pub fn run(&self) -> Ending {
        let kept =
            |value| Ending { result: Ok(convert::to_plain_value(&value).unwrap_or_default()), trace: Vec::new() };
        match self.engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &self.ast) {
            Ok(value) => kept(value),
            Err(error) => match *error {
                EvalAltResult::Exit(value, _) | EvalAltResult::Return(value, _) => kept(value),
                error => Ending {
                    result: Err(fault::describe(&error)),
                    trace: fault::trace(&error, &self.runbook, &self.origins),
                },
            },
        }
    }
}

/// Compiles one of the program's texts, and notes what it holds.
fn compile(
    engine: &Engine,
    text: &str,
    source: &str,
    origins: &Origins,
    is_planning: bool,
) -> Result<AST, rhai::ParseError> {
    let mut ast = engine.compile(text)?;
    if is_planning {
        let insertions = Insertions::of(engine, text, &ast);
        ast = engine.compile(insertions.put_into(text))?;
        origins.note_insertions(source, insertions);
    }
    ast.set_source(source);
    origins.note(&ast, source);
    Ok(ast)
}

/// The literal import paths of a text, in order; none when it does not compile.
pub(super) fn imports(text: &str) -> Vec<String> {
    let Ok(ast) = engine::for_reading().compile(text) else { return Vec::new() };
    let mut paths = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = nodes.last()
            && let Expr::StringConstant(path, _) = &import.0
        {
            paths.push(path.to_string());
        }
        true
    });
    paths
}

fn syntax(file: &str, error: &rhai::ParseError) -> Failure {
    let (line, column) = (error.position().line().unwrap_or(1), error.position().position().unwrap_or(1));
    Failure::new(FailureKind::Invalid, format!("{file}:{line}:{column}: {}", error.err_type()))
}

/// `env::name`, `env::url`, … as a static module, because functions of a script do not see its variables; and
/// `env::host(name)`, the address of one of `[env.NAME.hosts]`.
fn register_environment(engine: &mut Engine, environment: &Environment) {
    let mut module = Module::new();
    for (key, value) in &environment.values {
        module.set_var(key.clone(), convert::to_dynamic(value));
    }
    module.set_var("name", environment.name.clone());
    module.set_var("is_protected", environment.protected);
    let (name, hosts) = (environment.name.clone(), environment.values.get("hosts").cloned().unwrap_or_default());
    FuncRegistration::new("host").set_into_module(&mut module, move |context: NativeCallContext<'_>, host: &str| {
        if let Some(what) = unknown_in_text(host) {
            return Ok(Dynamic::from(unknown::Unknown(what.into())));
        }
        let address = hosts.get(host).map(convert::to_dynamic);
        address.ok_or_else(|| {
            let message = format!("environment `{name}` has no host `{host}`");
            Box::new(EvalAltResult::ErrorRuntime(message.into(), context.call_position()))
        })
    });
    engine.register_static_module("env", module.into());
}

/// Stops a script that was told to stop, or that computes without end.
fn watch(engine: &mut Engine, door: &Arc<dyn Door>) {
    let (progress, print) = (door.clone(), door.clone());
    engine.on_progress(move |_| progress.interrupted().map(|failure| Dynamic::from(fault::Fault(Arc::new(failure)))));
    let debug = print.clone();
    engine.on_print(move |line| print.print(line));
    engine.on_debug(move |line, _, _| debug.print(line));
}

/// Serves modules from the library's texts and from nowhere else.
struct Modules {
    library: Library,
    origins: Origins,
    is_planning: bool,
    loaded: Mutex<HashMap<String, Arc<Module>>>,
    opening: Mutex<Vec<String>>,
}

impl ModuleResolver for Modules {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Arc<Module>, Box<EvalAltResult>> {
        let from = source.unwrap_or(self.library.runbook());
        let known = self.library.import_path(from, path);
        let known = known.ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.into(), position))?;
        if let Some(module) = self.loaded.lock().ok().and_then(|loaded| loaded.get(&known).cloned()) {
            return Ok(module);
        }
        if let Ok(mut opening) = self.opening.lock() {
            if opening.contains(&known) {
                let circle = format!("modules import each other in a circle: {} → {known}", opening.join(" → "));
                return Err(EvalAltResult::ErrorRuntime(circle.into(), position).into());
            }
            opening.push(known.clone());
        }
        let module = self.open(engine, &known, position);
        if let Ok(mut opening) = self.opening.lock() {
            opening.pop();
        }
        module
    }
}

impl Modules {
    fn open(&self, engine: &Engine, known: &str, position: Position) -> Result<Arc<Module>, Box<EvalAltResult>> {
        let text = self.library.text(known).unwrap_or_default();
        let failed = |error| Box::new(EvalAltResult::ErrorInModule(known.to_owned(), error, position));
        let ast = compile(engine, text, known, &self.origins, self.is_planning);
        let ast = ast.map_err(|error| failed(error.into()))?;
        let module = Arc::new(Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(failed)?);
        if let Ok(mut loaded) = self.loaded.lock() {
            loaded.insert(known.to_owned(), module.clone());
        }
        Ok(module)
    }
}
