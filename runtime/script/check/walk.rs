//! One pass over a program: keeps track of what is visible and shows every place to every lint.

use super::cx::{Callee, Cx};
use super::given::Given;
use super::scope::{Binding, Guess, Origin, Region, Role};
use super::tree::{Call, Function, Kind, Node, Statement, StatementKind};

/// A family of lints. Each hook sees a place before what is inside it, with the names visible there.
pub(super) trait Lint {
    /// A file, before its statements.
    fn file(&mut self, _cx: &mut Cx<'_>) {}
    /// The statements of a block, function, closure or file, before the first of them.
    fn block(&mut self, _cx: &mut Cx<'_>, _statements: &[Statement]) {}
    /// A statement.
    fn statement(&mut self, _cx: &mut Cx<'_>, _statement: &Statement) {}
    /// An expression.
    fn node<'a>(&mut self, _cx: &mut Cx<'a>, _node: &'a Node) {}
    /// After the last file.
    fn finish(&mut self, _cx: &mut Cx<'_>) {}
}

/// Walks the file that the context stands in.
pub(super) fn walk(cx: &mut Cx<'_>, lints: &mut [Box<dyn Lint>]) {
    let file = cx.file;
    let mut walk = Walk { cx, lints, given: Given::default() };
    walk.each(|lint, cx| lint.file(cx));
    walk.cx.scope.enter(Region::Script);
    walk.statements(&file.tree.body);
    walk.cx.scope.leave();
    // A function is looked at when all its calls have been, so that it is known what it is given.
    let mut left: Vec<&Function> = file.tree.functions.iter().collect();
    while !left.is_empty() {
        let next = left.iter().position(|function| walk.given.complete(file, function)).unwrap_or(0);
        walk.function(left.remove(next));
    }
}

struct Walk<'w, 'a> {
    cx: &'w mut Cx<'a>,
    lints: &'w mut [Box<dyn Lint>],
    given: Given<'a>,
}

impl<'a> Walk<'_, 'a> {
    fn each(&mut self, mut show: impl FnMut(&mut dyn Lint, &mut Cx<'a>)) {
        for lint in self.lints.iter_mut() {
            show(lint.as_mut(), self.cx);
        }
    }

    /// A function sees its parameters and the file's imports, and no variable of the script.
    fn function(&mut self, function: &'a Function) {
        self.cx.scope.enter(Region::Script);
        let file = self.cx.file;
        for import in &file.imports {
            self.cx.scope.import(&import.alias);
        }
        self.cx.scope.enter(Region::Function);
        for (index, name) in function.params.iter().enumerate() {
            let (guess, maker) = self.given.argument(file, function, index);
            let guess = if file.tree.assigned.contains(name) { Guess::Unknown } else { guess };
            let name = name.clone();
            self.cx.scope.declare(Binding { name, origin: Origin::Parameter, guess, value: None, maker });
        }
        self.statements(&function.body);
        self.cx.scope.leave();
        self.cx.scope.leave();
    }

    fn declare(&mut self, name: &str, origin: Origin, guess: Guess) {
        self.cx.scope.declare(Binding { name: name.to_owned(), origin, guess, value: None, maker: None });
    }

    fn inside(&mut self, region: Region, statements: &'a [Statement]) {
        self.cx.scope.enter(region);
        self.statements(statements);
        self.cx.scope.leave();
    }

    fn branch(&mut self, statements: &'a [Statement], guarded: bool) {
        self.cx.scope.enter(Region::Block);
        if guarded {
            self.cx.scope.guard();
        }
        self.statements(statements);
        self.cx.scope.leave();
    }

    fn statements(&mut self, statements: &'a [Statement]) {
        self.each(|lint, cx| lint.block(cx, statements));
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'a Statement) {
        self.each(|lint, cx| lint.statement(cx, statement));
        match &statement.kind {
            StatementKind::Nothing | StatementKind::Continue | StatementKind::Export { .. } => {}
            StatementKind::Expression(node) => self.node(node, Role::Now),
            StatementKind::Let { name, value, constant } => {
                self.node(value, Role::Now);
                let fixed = !self.cx.file.tree.assigned.contains(name);
                self.cx.scope.declare(Binding {
                    name: name.clone(),
                    origin: if *constant { Origin::Constant } else { Origin::Variable },
                    guess: if fixed { self.cx.guess(value) } else { Guess::Unknown },
                    value: Some(value).filter(|_| fixed && !self.cx.file.tree.mutated.contains(name)),
                    maker: None,
                });
            }
            StatementKind::Assign { target, value, .. } => {
                self.node(target, Role::Now);
                self.node(value, Role::Later("="));
            }
            StatementKind::If { condition, then, otherwise } => {
                self.node(condition, Role::Now);
                let depends = asks_environment(condition);
                self.branch(then, depends);
                self.branch(otherwise, depends);
                // `if env::name != "prod" { return; }`
                if depends && then.iter().chain(otherwise).any(|inner| inner.leaves().is_some()) {
                    self.cx.scope.guard();
                }
            }
            StatementKind::Switch { on, arms } => {
                self.node(on, Role::Now);
                self.cx.scope.enter(Region::Block);
                if asks_environment(on) {
                    self.cx.scope.guard();
                }
                for arm in arms {
                    arm.condition.iter().for_each(|condition| self.node(condition, Role::Now));
                    self.node(&arm.value, Role::Now);
                }
                self.cx.scope.leave();
            }
            StatementKind::While { condition, body } => {
                if let Some(condition) = condition {
                    self.node(condition, Role::Now);
                }
                self.inside(Region::Block, body);
            }
            StatementKind::For { name, counter, over, body } => {
                self.node(over, Role::Now);
                self.cx.scope.enter(Region::Block);
                self.declare(name, Origin::Loop, Guess::Unknown);
                if let Some(counter) = counter {
                    self.declare(counter, Origin::Loop, Guess::Int);
                }
                self.inside(Region::Block, body);
                self.cx.scope.leave();
            }
            StatementKind::Block(body) => self.inside(Region::Block, body),
            StatementKind::Try { body, name, handler } => {
                self.inside(Region::Block, body);
                self.cx.scope.enter(Region::Block);
                if let Some(name) = name {
                    self.declare(name, Origin::Parameter, Guess::Unknown);
                }
                self.statements(handler);
                self.cx.scope.leave();
            }
            StatementKind::Break(value) | StatementKind::Return(value) | StatementKind::Throw(value) => {
                if let Some(value) = value {
                    self.node(value, Role::Now);
                }
            }
            StatementKind::Import { path, alias } => {
                self.node(path, Role::Now);
                self.cx.scope.import(alias);
            }
        }
    }

    fn node(&mut self, node: &'a Node, role: Role) {
        self.each(|lint, cx| lint.node(cx, node));
        match &node.kind {
            Kind::Block(statements) => self.inside(Region::Block, statements),
            Kind::Closure(_) => {
                let file = self.cx.file;
                let Some(closure) = file.tree.closure(node) else { return };
                self.cx.scope.enter(Region::Closure(role));
                for name in &closure.params {
                    self.declare(name, Origin::Parameter, Guess::Unknown);
                }
                self.statements(&closure.body);
                self.cx.scope.leave();
            }
            Kind::Call(call) => {
                if let Callee::Script(_) = self.cx.callee(call)
                    && call.module.is_none()
                    && call.receiver.is_none()
                {
                    let arguments = call.args.iter().map(|node| (self.cx.guess(node), self.cx.maker(node)));
                    self.given.note(&call.name, arguments.collect());
                }
                call.receiver.iter().for_each(|receiver| self.node(receiver, Role::Now));
                let role = role_of_arguments(call);
                call.args.iter().for_each(|argument| self.node(argument, role));
            }
            Kind::List(_) | Kind::Map(_) => node.parts().into_iter().for_each(|part| self.node(part, role)),
            _ => node.parts().into_iter().for_each(|part| self.node(part, Role::Now)),
        }
    }
}

/// Does what a condition says depend on the environment?
fn asks_environment(condition: &Node) -> bool {
    matches!(&condition.kind, Kind::Path { module, .. } if module == "env")
        || condition.call().is_some_and(|call| call.module.as_ref().is_some_and(|(module, _)| module == "env"))
        || condition.parts().into_iter().any(asks_environment)
}

fn role_of_arguments(call: &Call) -> Role {
    match (call.name.as_str(), &call.receiver) {
        ("parallel" | "rolling", None) => Role::Branch,
        ("undo", None) => Role::Later("undo"),
        ("always", None) => Role::Later("always"),
        ("push" | "insert" | "append", Some(_)) => Role::Later("push"),
        ("+" | "+=", None) => Role::Later("+"),
        _ => Role::Now,
    }
}
