//! What lints may ask while the walk shows them a place.

use serde_json::Value;

use super::guess::{Guesser, RETURN_THEIR_BLOCK};
use super::known::{self, Known};
use super::program::{File, Program};
use super::scope::{Guess, Scope};
use super::tree::{At, Call, Function, Kind, Node, StatementKind};
use super::{Request, header::Header};
use crate::failure::Finding;
use crate::primitive::Spec;
use crate::project::{Environment, ProjectFile};

/// Modules that are there without an import.
pub(super) const BUILT_IN_MODULES: &[&str] = &["env", "global"];

/// How many variables a value or a handle is followed through.
const DEEPEST: usize = 8;

/// The walk's place in the program.
pub(super) struct Cx<'a> {
    pub request: &'a Request<'a>,
    pub program: &'a Program,
    pub known: &'a Known,
    pub header: &'a Header,
    pub file: &'a File,
    /// Every environment of the project file, looked at or not.
    pub all_environments: &'a [Environment],
    /// The project file.
    pub project: &'a ProjectFile,
    pub scope: Scope<'a>,
    pub findings: Vec<Finding>,
    /// What the calls need, once all files were looked at.
    pub needed: Vec<super::needed::Needed>,
}

/// What a call calls.
pub(super) enum Callee<'a> {
    /// A primitive, or a method of a handle whose kind is known.
    Primitive(&'static Spec),
    /// One of these methods; the receiver's kind is not known.
    OneOf(Vec<&'static Spec>),
    /// A function of this script, or of a module.
    Script(Vec<&'a Function>),
    /// A function of the language that takes one of these numbers of arguments, the receiver counted.
    Language(&'static std::collections::BTreeSet<usize>),
    /// A function of a module that is not known (another finding says so), an operator, or one the evaluator handles.
    Opaque,
    /// Nothing that is known.
    Unknown,
}

impl<'a> Cx<'a> {
    /// Notes a finding in the current file.
    pub fn report(&mut self, mut finding: Finding) {
        finding.file.clone_from(&self.file.path);
        if finding.length == 0 {
            finding.length = self.file.source.token_length(At { line: finding.line, column: finding.column });
        }
        self.findings.push(finding);
    }

    /// What is known about a value.
    pub fn guess(&self, node: &Node) -> Guess {
        Guesser::new(self).guess(node)
    }

    /// The functions of that name in a file.
    pub fn functions(file: &'a File, name: &str) -> Vec<&'a Function> {
        file.tree.functions.iter().filter(|function| function.name == name).collect()
    }

    /// What a call calls.
    pub fn callee(&self, call: &Call) -> Callee<'a> {
        self.callee_on(call, call.receiver.as_ref().map(|receiver| self.guess(receiver)))
    }

    /// The same when the receiver's value is known already.
    pub fn callee_on(&self, call: &Call, receiver: Option<Guess>) -> Callee<'a> {
        if call.operator || known::special(&call.name) {
            return Callee::Opaque;
        }
        if let Some((alias, _)) = &call.module {
            let module = self.program.module(&self.file.path, alias).filter(|module| module.compiles);
            return match module {
                Some(module) => {
                    let public = Self::functions(module, &call.name).into_iter().filter(|function| !function.private);
                    let public: Vec<_> = public.collect();
                    if public.is_empty() { Callee::Unknown } else { Callee::Script(public) }
                }
                None => Callee::Opaque,
            };
        }
        let mut own = Self::functions(self.file, &call.name);
        if receiver.is_some() {
            // A method call finds a script function by the arguments in its parentheses; `this` is the receiver.
            own.retain(|function| function.params.len() == call.args.len());
        }
        if !own.is_empty() {
            return Callee::Script(own);
        }
        let Some(receiver) = receiver else { return self.plain_function(call) };
        if let Guess::Handle(kind) = receiver {
            return match self.known.method(kind, &call.name) {
                Some(spec) => Callee::Primitive(spec),
                None if matches!(call.name.as_str(), "to_string" | "to_debug") => Callee::Opaque,
                None => Callee::Unknown,
            };
        }
        let methods = self.known.methods_named(&call.name);
        if let Some(counts) = known::language(&call.name) {
            return if methods.is_empty() || receiver != Guess::Unknown {
                Callee::Language(counts)
            } else {
                Callee::Opaque
            };
        }
        // A map may hold a closure, and `map.name()` calls it.
        if matches!(receiver, Guess::Unknown | Guess::Map) && self.file.tree.keys.contains(&call.name) {
            return Callee::Opaque;
        }
        if self.known.function(&call.name).is_some() {
            return Callee::Opaque;
        }
        match methods {
            [_, ..] if receiver == Guess::Unknown => Callee::OneOf(methods.to_vec()),
            _ => Callee::Unknown,
        }
    }

    fn plain_function(&self, call: &Call) -> Callee<'a> {
        if let Some(spec) = self.known.function(&call.name) {
            return Callee::Primitive(spec);
        }
        if let Some(counts) = known::language(&call.name) {
            return Callee::Language(counts);
        }
        // `up(app)` is another way to write `app.up()`.
        let on_handle = || call.args.first().is_some_and(|first| matches!(self.guess(first), Guess::Handle(_)));
        if !self.known.methods_named(&call.name).is_empty() && on_handle() {
            return Callee::Opaque;
        }
        Callee::Unknown
    }

    /// Can a call of this primitive have this form? A trailing map may be the options.
    pub fn fits(&self, spec: &Spec, call: &Call) -> bool {
        let (fewest, most) = (spec.required(), spec.args.len());
        let count = call.args.len();
        if (fewest..=most).contains(&count) {
            return true;
        }
        let trailing = call.args.last().map(|last| self.guess(last));
        let may_be_options = matches!(trailing, Some(Guess::Map | Guess::Unknown | Guess::Nothing));
        spec.options.is_some() && may_be_options && (fewest..=most).contains(&(count - 1))
    }

    /// The value of a key of the environment table, when every environment looked at has the same.
    pub fn constant_path(&self, node: &Node) -> Option<&'a Value> {
        let Kind::Path { module, name, .. } = &node.kind else { return None };
        if module != "env" {
            return None;
        }
        let mut values = self.request.environments.iter().map(|environment| environment.values.get(name));
        let first = values.next()??;
        values.all(|value| value == Some(first)).then_some(first)
    }

    /// The value of an expression in an environment, when it is known before the run.
    pub fn value_in(&self, environment: Option<&Environment>, node: &Node) -> Option<Value> {
        self.value_through(environment, node, DEEPEST)
    }

    /// `let name = name;` has itself as its value: hence the limit.
    fn value_through(&self, environment: Option<&Environment>, node: &Node, depth: usize) -> Option<Value> {
        let inner = |node| self.value_through(environment, node, depth.checked_sub(1)?);
        match &node.kind {
            Kind::Name(name) => inner(self.scope.find(name)?.value?),
            Kind::Path { module, name, .. } if module == "env" && name == "name" => {
                Some(environment?.name.as_str().into())
            }
            Kind::Path { module, name, .. } if module == "env" => environment?.values.get(name).cloned(),
            Kind::List(items) => items.iter().map(inner).collect(),
            Kind::Call(call) if call.operator && call.name == "+" => {
                let parts: Option<Vec<Value>> = call.args.iter().map(inner).collect();
                let parts = parts?;
                let texts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
                Some(texts?.concat().into())
            }
            _ => super::guess::literal(node),
        }
    }

    /// The environments to look at; one unknown environment when none is given.
    pub fn each_environment(&self) -> Vec<Option<&'a Environment>> {
        let all: Vec<_> = self.request.environments.iter().map(Some).collect();
        if all.is_empty() { vec![None] } else { all }
    }

    /// Notes a finding that holds in one environment; its name is kept when several are looked at.
    pub fn report_in(&mut self, environment: Option<&Environment>, mut finding: Finding) {
        if self.request.environments.len() > 1 {
            finding.environment = environment.map(|environment| environment.name.clone());
        }
        self.report(finding);
    }

    /// Notes a finding of another file than the current one.
    pub fn report_at(&mut self, environment: Option<&Environment>, file: &str, finding: Finding) {
        let current = self.file;
        self.file = self.program.files.get(file).unwrap_or(current);
        self.report_in(environment, finding);
        self.file = current;
    }

    /// The call that made a handle: through variables, and through the step it was made in.
    pub fn maker(&self, node: &'a Node) -> Option<&'a Call> {
        self.maker_through(node, DEEPEST)
    }

    fn maker_through(&self, node: &'a Node, depth: usize) -> Option<&'a Call> {
        let depth = depth.checked_sub(1)?;
        match &node.kind {
            Kind::Name(name) => {
                let binding = self.scope.find(name)?;
                binding.maker.or_else(|| self.maker_through(binding.value?, depth))
            }
            Kind::Call(call) => match self.callee(call) {
                Callee::Primitive(spec) if spec.returns.is_some() => Some(call),
                Callee::Primitive(spec) if RETURN_THEIR_BLOCK.contains(&spec.name) => {
                    let block = self.file.tree.closure(call.args.last()?)?;
                    match &block.body.last()?.kind {
                        StatementKind::Expression(node) => self.maker_through(node, depth),
                        _ => None,
                    }
                }
                _ => None,
            },
            _ => None,
        }
    }
}
