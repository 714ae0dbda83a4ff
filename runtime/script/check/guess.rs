//! What a value is, without running anything. Wrong guesses would be false alarms: when in doubt, nothing is known.

use serde_json::Value;

use super::cx::{Callee, Cx};
use super::program::File;
use super::scope::Guess;
use super::tree::{Call, Function, Kind, Node, Statement, StatementKind, Tree};
use crate::primitive::BlockRef;
use crate::script::header::ParamType;

/// How many functions and closures a guess looks through.
const DEEPEST: usize = 6;

/// Primitives whose result is what their block returns.
pub(super) const RETURN_THEIR_BLOCK: &[&str] = &["step", "retry"];

/// Guesses values at a place.
pub(super) struct Guesser<'c, 'a> {
    cx: &'c Cx<'a>,
    tree: &'a Tree,
    /// Variables of the functions and closures being looked through, innermost last.
    locals: Vec<(&'a str, Guess)>,
    /// Inside another function: the walk's own variables are not visible.
    isolated: bool,
    depth: usize,
}

impl<'c, 'a> Guesser<'c, 'a> {
    pub fn new(cx: &'c Cx<'a>) -> Self {
        Self { cx, tree: &cx.file.tree, locals: Vec::new(), isolated: false, depth: 0 }
    }

    pub fn guess(&self, node: &Node) -> Guess {
        match &node.kind {
            Kind::Unit => Guess::Nothing,
            Kind::Bool(_) => Guess::Bool,
            Kind::Int(_) => Guess::Int,
            Kind::Float(_) => Guess::Float,
            Kind::Char(_) | Kind::Text(_) | Kind::Template(_) => Guess::Text,
            Kind::List(_) => Guess::List,
            Kind::Map(_) => Guess::Map,
            Kind::Closure(_) => {
                self.tree.closure(node).map_or(Guess::Unknown, |closure| Guess::Closure(closure.params.len()))
            }
            Kind::Name(name) => self.name(name),
            Kind::Path { .. } => self.cx.constant_path(node).map_or(Guess::Unknown, of_value),
            Kind::Call(call) => self.call(call),
            _ => Guess::Unknown,
        }
    }

    fn name(&self, name: &str) -> Guess {
        if let Some((_, guess)) = self.locals.iter().rev().find(|(local, _)| *local == name) {
            return *guess;
        }
        if self.isolated {
            return Guess::Unknown;
        }
        self.cx.scope.find(name).map_or(Guess::Unknown, |binding| binding.guess)
    }

    fn call(&self, call: &Call) -> Guess {
        if self.depth >= DEEPEST {
            return Guess::Unknown;
        }
        if call.operator {
            return self.operator(call);
        }
        let receiver = call.receiver.as_ref().map(|receiver| self.guess(receiver));
        match self.cx.callee_on(call, receiver) {
            Callee::Primitive(spec) if spec.receiver.is_none() && RETURN_THEIR_BLOCK.contains(&spec.name) => {
                let closure = call.args.last().and_then(|block| self.tree_closure(block));
                closure.map_or(Guess::Unknown, |(params, body)| self.tail(params, body))
            }
            Callee::Primitive(spec) if spec.name == "param" && spec.receiver.is_none() => self.parameter(call),
            Callee::Primitive(spec) => spec.returns.map_or(Guess::Unknown, Guess::Handle),
            Callee::Script(functions) => self.function(call, &functions),
            Callee::Language(_) if !self.tree.keys.contains(&call.name) => of_language(&call.name),
            _ => Guess::Unknown,
        }
    }

    /// A parameter has the type its declaration says, or no value at all.
    fn parameter(&self, call: &Call) -> Guess {
        let declared = call.args.first().and_then(Node::text).and_then(|name| self.cx.header.param(name));
        match declared {
            Some(param) if param.default != Some(Value::Null) => match param.ty {
                ParamType::String | ParamType::Duration | ParamType::Size => Guess::Text,
                ParamType::Integer => Guess::Int,
                ParamType::Bool => Guess::Bool,
                ParamType::List => Guess::List,
                ParamType::Number => Guess::Unknown,
            },
            _ => Guess::Unknown,
        }
    }

    /// The closure, looked up in the tree that outlives this guess.
    fn tree_closure(&self, node: &Node) -> Option<(&'a [String], &'a [Statement])> {
        let closure = self.tree.closure(node)?;
        Some((&closure.params, &closure.body))
    }

    fn operator(&self, call: &Call) -> Guess {
        match call.name.as_str() {
            "==" | "!=" | "<" | ">" | "<=" | ">=" | "!" => Guess::Bool,
            "+" if call.args.len() == 2 && call.args.iter().any(|part| self.guess(part) == Guess::Text) => Guess::Text,
            _ => Guess::Unknown,
        }
    }

    /// The last value of a closure's body.
    fn tail(&self, params: &'a [String], body: &'a [Statement]) -> Guess {
        let mut inner = Self {
            cx: self.cx,
            tree: self.tree,
            locals: self.locals.clone(),
            isolated: self.isolated,
            depth: self.depth + 1,
        };
        inner.body(params, body)
    }

    fn function(&self, call: &Call, functions: &[&'a Function]) -> Guess {
        let [function] = functions else { return Guess::Unknown };
        let file: &'a File = match &call.module {
            Some((alias, _)) => match self.cx.program.module(&self.cx.file.path, alias) {
                Some(file) => file,
                None => return Guess::Unknown,
            },
            None => self.cx.file,
        };
        // A module's own names resolve in its own file, which this place cannot see: only look through local functions.
        if file.path != self.cx.file.path {
            return Guess::Unknown;
        }
        let mut inner =
            Self { cx: self.cx, tree: &file.tree, locals: Vec::new(), isolated: true, depth: self.depth + 1 };
        inner.body(&function.params, &function.body)
    }

    fn body(&mut self, params: &'a [String], body: &'a [Statement]) -> Guess {
        if body.iter().any(returns_early) {
            return Guess::Unknown;
        }
        self.locals.extend(params.iter().map(|name| (name.as_str(), Guess::Unknown)));
        for statement in body {
            if let StatementKind::Let { name, value, .. } = &statement.kind {
                let guess = if self.tree.assigned.contains(name) { Guess::Unknown } else { self.guess(value) };
                self.locals.push((name, guess));
            }
        }
        match body.last().map(|statement| &statement.kind) {
            Some(StatementKind::Expression(node)) => self.guess(node),
            _ => Guess::Unknown,
        }
    }
}

/// What functions of the language return whose result is of one type, whatever they are called on.
fn of_language(name: &str) -> Guess {
    match name {
        "filter" | "map" | "split" | "keys" | "values" | "chars" | "extract" | "drain" | "to_array" => Guess::List,
        "to_upper" | "to_lower" | "to_string" | "to_debug" | "sub_string" => Guess::Text,
        "len" | "index_of" | "parse_int" => Guess::Int,
        "contains" | "starts_with" | "ends_with" | "is_empty" | "some" | "all" => Guess::Bool,
        _ => Guess::Unknown,
    }
}

fn of_value(value: &Value) -> Guess {
    match value {
        Value::Null => Guess::Nothing,
        Value::Bool(_) => Guess::Bool,
        Value::Number(number) if number.is_f64() => Guess::Float,
        Value::Number(_) => Guess::Int,
        Value::String(_) => Guess::Text,
        Value::Array(_) => Guess::List,
        Value::Object(_) => Guess::Map,
    }
}

/// Can the block end before its last statement?
fn returns_early(statement: &Statement) -> bool {
    match &statement.kind {
        StatementKind::Return(_) => true,
        StatementKind::If { then, otherwise, .. } => then.iter().chain(otherwise).any(returns_early),
        StatementKind::While { body, .. } | StatementKind::For { body, .. } | StatementKind::Block(body) => {
            body.iter().any(returns_early)
        }
        StatementKind::Try { body, handler, .. } => body.iter().chain(handler).any(returns_early),
        StatementKind::Switch { arms, .. } => arms.iter().any(|arm| match &arm.value.kind {
            Kind::Block(body) => body.iter().any(returns_early),
            _ => false,
        }),
        StatementKind::Expression(node) | StatementKind::Let { value: node, .. } => match &node.kind {
            Kind::Block(body) => body.iter().any(returns_early),
            _ => false,
        },
        _ => false,
    }
}

/// The value of a literal; closures stand as references. `None` when a part is not a literal.
pub(super) fn literal(node: &Node) -> Option<Value> {
    Some(match &node.kind {
        Kind::Unit => Value::Null,
        Kind::Bool(value) => (*value).into(),
        Kind::Int(value) => (*value).into(),
        Kind::Float(value) => (*value).into(),
        Kind::Char(value) => value.to_string().into(),
        Kind::Text(value) => value.as_str().into(),
        Kind::List(items) => Value::Array(items.iter().map(literal).collect::<Option<_>>()?),
        Kind::Map(entries) => {
            let pairs = entries.iter().map(|entry| Some((entry.key.clone(), literal(&entry.value)?)));
            Value::Object(pairs.collect::<Option<_>>()?)
        }
        Kind::Closure(_) => BlockRef(0).to_value(),
        _ => return None,
    })
}
