//! The tree that the lints read: a script without the shapes that only its evaluator needs.

use std::collections::{BTreeMap, BTreeSet};

/// A place in a text: line and column (in characters), both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub line: usize,
    pub column: usize,
}

/// A compiled text.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Statements outside functions.
    pub body: Vec<Statement>,
    /// Named functions, in source order.
    pub functions: Vec<Function>,
    /// Closures, by the name that the compiler gave them.
    pub closures: BTreeMap<String, Closure>,
    /// Names that something is assigned to after their declaration.
    pub assigned: BTreeSet<String>,
    /// How often a function of each name is called without a module or receiver.
    pub calls: BTreeMap<String, usize>,
    /// Methods called, with how many arguments.
    pub methods: BTreeSet<(String, usize)>,
    /// Names that stand as values: a function among them may be called from anywhere.
    pub values: BTreeSet<String>,
    /// Names that a method which changes its receiver is called on.
    pub mutated: BTreeSet<String>,
    /// Keys of map literals and fields assigned to: what a map of this text may hold.
    pub keys: BTreeSet<String>,
}

#[derive(Debug)]
pub(super) struct Function {
    pub name: String,
    pub at: At,
    pub params: Vec<String>,
    pub private: bool,
    pub body: Vec<Statement>,
}

#[derive(Debug, Default)]
pub(super) struct Closure {
    /// The parameters it declares, captured variables not counted.
    pub params: Vec<String>,
    pub body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) struct Statement {
    pub at: At,
    pub kind: StatementKind,
}

#[derive(Debug)]
pub(super) enum StatementKind {
    Nothing,
    Expression(Node),
    Let { name: String, value: Node, constant: bool },
    Assign { target: Node, value: Node },
    If { condition: Node, then: Vec<Statement>, otherwise: Vec<Statement> },
    Switch { on: Node, arms: Vec<Arm> },
    While { condition: Option<Node>, body: Vec<Statement> },
    For { name: String, counter: Option<String>, over: Node, body: Vec<Statement> },
    Block(Vec<Statement>),
    Try { body: Vec<Statement>, name: Option<String>, handler: Vec<Statement> },
    Break(Option<Node>),
    Continue,
    Return(Option<Node>),
    Throw(Option<Node>),
    Import { path: Node, alias: String },
    Export { name: String, at: At },
}

/// One arm of a `switch`; the values it matches are not kept by the compiler.
#[derive(Debug)]
pub(super) struct Arm {
    pub condition: Option<Node>,
    pub value: Node,
}

/// An expression.
#[derive(Debug)]
pub(super) struct Node {
    pub at: At,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    Char(char),
    Text(String),
    /// A string with `${…}` parts.
    Template(Vec<Node>),
    List(Vec<Node>),
    Map(Vec<Entry>),
    Name(String),
    /// A variable of a module: `env::url`.
    Path {
        module: String,
        module_at: At,
        name: String,
    },
    This,
    Field {
        of: Box<Node>,
        name: String,
    },
    Index {
        of: Box<Node>,
        index: Box<Node>,
    },
    Call(Box<Call>),
    Closure(String),
    Block(Vec<Statement>),
    /// `&&`, `||` or `??`.
    Logic(Vec<Node>),
    /// A shape this checker does not look into.
    Other,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub key: String,
    pub at: At,
    pub value: Node,
}

/// A call of a function or method; an operator is one too.
#[derive(Debug)]
pub(super) struct Call {
    pub name: String,
    pub at: At,
    /// The module in `module::name(…)`, with its place.
    pub module: Option<(String, At)>,
    /// What the method is called on.
    pub receiver: Option<Node>,
    pub args: Vec<Node>,
    pub operator: bool,
}

impl Call {
    /// The name as written: `deploy::roll` or `up`.
    pub fn written(&self) -> String {
        self.module.as_ref().map_or_else(|| self.name.clone(), |(module, _)| format!("{module}::{}", self.name))
    }
}

impl Node {
    /// The text of a string literal.
    pub fn text(&self) -> Option<&str> {
        if let Kind::Text(text) = &self.kind { Some(text) } else { None }
    }

    /// The call, when the expression is one.
    pub fn call(&self) -> Option<&Call> {
        if let Kind::Call(call) = &self.kind { Some(call) } else { None }
    }

    /// The variable that an assignment to this place changes, with the place's own position.
    pub fn root(&self) -> Option<&str> {
        match &self.kind {
            Kind::Name(name) => Some(name),
            Kind::Field { of, .. } | Kind::Index { of, .. } => of.root(),
            _ => None,
        }
    }

    /// The expressions directly inside, statements not included.
    pub fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Template(parts) | Kind::List(parts) | Kind::Logic(parts) => parts.iter().collect(),
            Kind::Map(entries) => entries.iter().map(|entry| &entry.value).collect(),
            Kind::Field { of, .. } => vec![of],
            Kind::Index { of, index } => vec![of, index],
            Kind::Call(call) => call.receiver.iter().chain(&call.args).collect(),
            _ => Vec::new(),
        }
    }
}

impl Tree {
    /// The closure an expression is, when it is a literal one.
    pub fn closure(&self, node: &Node) -> Option<&Closure> {
        if let Kind::Closure(name) = &node.kind { self.closures.get(name) } else { None }
    }
}

impl Statement {
    /// What ends the block at this statement, whatever happens.
    pub fn leaves(&self) -> Option<&'static str> {
        match &self.kind {
            StatementKind::Return(_) => Some("`return`"),
            StatementKind::Throw(_) => Some("`throw`"),
            StatementKind::Break(_) => Some("`break`"),
            StatementKind::Continue => Some("`continue`"),
            StatementKind::Expression(Node { kind: Kind::Call(call), .. })
                if call.name == "exit" && call.receiver.is_none() && call.module.is_none() =>
            {
                Some("`exit`")
            }
            StatementKind::Block(body) => body.iter().find_map(Self::leaves),
            StatementKind::If { then, otherwise, .. } if !otherwise.is_empty() => then
                .iter()
                .find_map(Self::leaves)
                .and(otherwise.iter().find_map(Self::leaves))
                .map(|_| "each branch of the `if`"),
            StatementKind::While { condition: None, body } if !body.iter().any(Self::breaks) => {
                Some("a `loop` without `break`")
            }
            _ => None,
        }
    }

    /// Is there a `break` of this loop in the statement?
    fn breaks(&self) -> bool {
        match &self.kind {
            StatementKind::If { then, otherwise, .. } => then.iter().chain(otherwise).any(Self::breaks),
            StatementKind::Block(body) => body.iter().any(Self::breaks),
            StatementKind::Try { body, handler, .. } => body.iter().chain(handler).any(Self::breaks),
            // Anything unusual may hold one.
            StatementKind::Break(_)
            | StatementKind::Switch { .. }
            | StatementKind::Let { .. }
            | StatementKind::Assign { .. } => true,
            StatementKind::Expression(node) => !matches!(node.kind, Kind::Call(_)),
            _ => false,
        }
    }
}
