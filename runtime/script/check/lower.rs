//! From the compiler's tree to ours: the one file of `check` that reads Rhai's internals.

use std::collections::BTreeMap;

use rhai::{AST, ASTFlags, ASTNode, Expr, FnAccess, FnCallExpr, FnPtr, Position, Stmt, StmtBlock};

use super::known;
use super::source::Source;
use super::tree::{Arm, At, Call, Closure, Entry, Function, Kind, Node, Statement, StatementKind, Tree};

/// Reads a compiled text.
///
/// The bodies of functions and closures are reachable only through `AST::walk`, which shows all of them one after the
/// other: each statement goes to the innermost function whose braces hold it. A closure without braces has exactly one
/// statement, which starts where the closure's body does.
pub(super) fn lower(ast: &AST, source: &Source) -> Tree {
    let mut tree = Tree::default();
    let mut bodies = Bodies::of(ast);
    let mut left = ast.statements().len();
    ast.walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            let lowered = Lower { tree: &mut tree }.statement(statement);
            if left > 0 {
                left -= 1;
                tree.body.push(lowered);
            } else {
                bodies.add(statement.position(), lowered);
            }
        }
        true
    });
    for (_, access, _, _, definition) in ast.shared_lib().iter_script_fn_info() {
        let name = definition.name.to_string();
        let mut params: Vec<String> = definition.params.iter().map(ToString::to_string).collect();
        let body = bodies.take(&name, params.len());
        if name.starts_with("anon$") {
            let captured = tree.closures.get(&name).map_or(0, |closure| closure.params.len());
            let params = params.split_off(captured.min(params.len()));
            tree.closures.insert(name, Closure { params, body });
        } else {
            let at = source.function_name(&name, place(definition.body.start_position()));
            tree.functions.push(Function { name, at, params, private: access == FnAccess::Private, body });
        }
    }
    tree.functions.sort_by_key(|function| function.at);
    tree
}

fn place(position: Position) -> At {
    At { line: position.line().unwrap_or(0), column: position.position().unwrap_or(0).max(1) }
}

/// The statements of each function, while they are being collected.
struct Bodies {
    ranges: Vec<(Position, Position, (String, usize))>,
    statements: BTreeMap<(String, usize), Vec<Statement>>,
}

impl Bodies {
    fn of(ast: &AST) -> Self {
        let ranges = ast.shared_lib().iter_script_fn_info().map(|(_, _, name, parameters, definition)| {
            let body = &definition.body;
            (body.start_position(), body.end_position(), (name.to_owned(), parameters))
        });
        Self { ranges: ranges.collect(), statements: BTreeMap::new() }
    }

    fn add(&mut self, at: Position, statement: Statement) {
        let single = self.ranges.iter().find(|(start, end, _)| end.is_none() && *start == at);
        let braces = || {
            let around = self.ranges.iter().filter(|(start, end, _)| !end.is_none() && *start <= at && at <= *end);
            around.max_by_key(|(start, _, _)| *start)
        };
        if let Some((_, _, key)) = single.or_else(braces) {
            self.statements.entry(key.clone()).or_default().push(statement);
        }
    }

    fn take(&mut self, name: &str, parameters: usize) -> Vec<Statement> {
        self.statements.remove(&(name.to_owned(), parameters)).unwrap_or_default()
    }
}

struct Lower<'a> {
    tree: &'a mut Tree,
}

impl Lower<'_> {
    fn block(&mut self, block: &StmtBlock) -> Vec<Statement> {
        block.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, statement: &Stmt) -> Statement {
        let at = place(statement.position());
        let kind = match statement {
            Stmt::Expr(expression) => StatementKind::Expression(self.node(expression)),
            Stmt::FnCall(call, position) => StatementKind::Expression(self.call(call, None, *position)),
            Stmt::Var(parts, flags, _) => {
                let (name, value, _) = &**parts;
                StatementKind::Let {
                    name: name.name.to_string(),
                    value: self.node(value),
                    constant: flags.contains(ASTFlags::CONSTANT),
                }
            }
            Stmt::Assignment(parts) => {
                let target = self.node(&parts.1.lhs);
                if let Some(root) = target.root() {
                    self.tree.assigned.insert(root.to_owned());
                }
                if let Kind::Field { name, .. } = &target.kind {
                    self.tree.keys.insert(name.clone());
                }
                let value = self.node(&parts.1.rhs);
                StatementKind::Assign { target, value }
            }
            Stmt::If(parts, _) => StatementKind::If {
                condition: self.node(&parts.expr),
                then: self.block(&parts.body),
                otherwise: self.block(&parts.branch),
            },
            Stmt::Switch(parts, _) => {
                let arms = parts.1.expressions.iter().map(|arm| Arm {
                    condition: (!arm.lhs.position().is_none()).then(|| self.node(&arm.lhs)),
                    value: self.node(&arm.rhs),
                });
                let arms = arms.collect();
                StatementKind::Switch { on: self.node(&parts.0), arms }
            }
            Stmt::While(parts, _) | Stmt::Do(parts, _, _) => StatementKind::While {
                condition: (!matches!(parts.expr, Expr::Unit(_))).then(|| self.node(&parts.expr)),
                body: self.block(&parts.body),
            },
            Stmt::For(parts, _) => {
                let (name, counter, control) = &**parts;
                StatementKind::For {
                    name: name.name.to_string(),
                    counter: counter.as_ref().map(|counter| counter.name.to_string()),
                    over: self.node(&control.expr),
                    body: self.block(&control.body),
                }
            }
            Stmt::Block(block) => StatementKind::Block(self.block(block)),
            Stmt::TryCatch(parts, _) => StatementKind::Try {
                body: self.block(&parts.body),
                name: match &parts.expr {
                    Expr::Variable(variable, _, _) => Some(variable.1.to_string()),
                    _ => None,
                },
                handler: self.block(&parts.branch),
            },
            Stmt::BreakLoop(value, flags, _) if flags.contains(ASTFlags::BREAK) => {
                StatementKind::Break(value.as_ref().map(|value| self.node(value)))
            }
            Stmt::BreakLoop(..) => StatementKind::Continue,
            Stmt::Return(value, flags, _) => {
                let value = value.as_ref().map(|value| self.node(value));
                if flags.contains(ASTFlags::BREAK) { StatementKind::Throw(value) } else { StatementKind::Return(value) }
            }
            Stmt::Import(parts, _) => {
                StatementKind::Import { path: self.node(&parts.0), alias: parts.1.name.to_string() }
            }
            Stmt::Export(parts, _) => StatementKind::Export { name: parts.0.name.to_string(), at: place(parts.0.pos) },
            _ => StatementKind::Nothing,
        };
        Statement { at, kind }
    }

    fn nodes<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr>) -> Vec<Node> {
        expressions.into_iter().map(|expression| self.node(expression)).collect()
    }

    fn node(&mut self, expression: &Expr) -> Node {
        let kind = match expression {
            Expr::Unit(_) => Kind::Unit,
            Expr::BoolConstant(value, _) => Kind::Bool(*value),
            Expr::IntegerConstant(value, _) => Kind::Int(*value),
            Expr::FloatConstant(value, _) => Kind::Float(**value),
            Expr::CharConstant(value, _) => Kind::Char(*value),
            Expr::StringConstant(value, _) => Kind::Text(value.to_string()),
            Expr::InterpolatedString(parts, _) => Kind::Template(self.nodes(parts.iter())),
            Expr::Array(items, _) => Kind::List(self.nodes(items.iter())),
            Expr::Map(map, _) => Kind::Map(self.entries(&map.0)),
            Expr::Variable(variable, _, _) if variable.2.is_empty() => {
                self.tree.values.insert(variable.1.to_string());
                Kind::Name(variable.1.to_string())
            }
            Expr::Variable(variable, _, _) => Kind::Path {
                module: variable.2.to_string(),
                module_at: place(variable.2.position()),
                name: variable.1.to_string(),
            },
            Expr::ThisPtr(_) => Kind::This,
            Expr::FnCall(call, position) => return self.call(call, None, *position),
            Expr::Dot(parts, flags, position) => {
                let base = self.node(&parts.lhs);
                return self.postfix(base, &parts.rhs, true, flags.contains(ASTFlags::BREAK), place(*position));
            }
            Expr::Index(parts, flags, position) => {
                let base = self.node(&parts.lhs);
                return self.postfix(base, &parts.rhs, false, flags.contains(ASTFlags::BREAK), place(*position));
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                Kind::Logic(self.nodes(parts.iter()))
            }
            Expr::DynamicConstant(value, _) => {
                value.read_lock::<FnPtr>().map_or(Kind::Other, |pointer| self.closure(pointer.fn_name(), 0))
            }
            Expr::Stmt(block) => match self.capturing(block) {
                Some(closure) => closure,
                None => Kind::Block(self.block(block)),
            },
            _ => Kind::Other,
        };
        let at = if matches!(kind, Kind::Path { .. }) { expression.position() } else { expression.start_position() };
        Node { at: place(at), kind }
    }

    fn entries(&mut self, entries: &[(rhai::Ident, Expr)]) -> Vec<Entry> {
        let lowered = entries.iter().map(|(key, value)| {
            self.tree.keys.insert(key.name.to_string());
            Entry { key: key.name.to_string(), at: place(key.pos), value: self.node(value) }
        });
        lowered.collect()
    }

    /// The compiler hangs `a.b[c].d` to the right; ours hangs to the left, so that a call finds its receiver.
    fn postfix(&mut self, base: Node, rest: &Expr, dot: bool, ended: bool, at: At) -> Node {
        match rest {
            Expr::Dot(parts, flags, position) if !ended => {
                let first = self.apply(base, &parts.lhs, dot, at);
                self.postfix(first, &parts.rhs, true, flags.contains(ASTFlags::BREAK), place(*position))
            }
            Expr::Index(parts, flags, position) if !ended => {
                let first = self.apply(base, &parts.lhs, dot, at);
                self.postfix(first, &parts.rhs, false, flags.contains(ASTFlags::BREAK), place(*position))
            }
            last => self.apply(base, last, dot, at),
        }
    }

    fn apply(&mut self, base: Node, part: &Expr, dot: bool, at: At) -> Node {
        match part {
            Expr::Property(property, position) => {
                Node { at: place(*position), kind: Kind::Field { of: Box::new(base), name: property.2.to_string() } }
            }
            Expr::MethodCall(call, position) => self.call(call, Some(base), *position),
            index if !dot => {
                let index = Box::new(self.node(index));
                Node { at, kind: Kind::Index { of: Box::new(base), index } }
            }
            _ => Node { at, kind: Kind::Other },
        }
    }

    fn call(&mut self, call: &FnCallExpr, receiver: Option<Node>, position: Position) -> Node {
        let module =
            (!call.namespace.is_empty()).then(|| (call.namespace.to_string(), place(call.namespace.position())));
        if let Some(root) = receiver.as_ref().and_then(Node::root).filter(|_| known::changes_receiver(&call.name)) {
            self.tree.mutated.insert(root.to_owned());
        }
        let args = self.nodes(call.args.iter());
        if receiver.is_some() {
            self.tree.methods.insert((call.name.to_string(), args.len()));
        } else if module.is_none() {
            *self.tree.calls.entry(call.name.to_string()).or_default() += 1;
        }
        let lowered = Call {
            name: call.name.to_string(),
            at: place(position),
            module,
            receiver,
            args,
            operator: call.is_operator_call(),
        };
        Node { at: place(position), kind: Kind::Call(Box::new(lowered)) }
    }

    /// A closure that captures something is compiled to "share these variables, then curry them".
    fn capturing(&mut self, block: &StmtBlock) -> Option<Kind> {
        let [Stmt::Share(_), last] = block.statements() else { return None };
        let call = match last {
            Stmt::FnCall(call, _) => call,
            Stmt::Expr(expression) => match &**expression {
                Expr::FnCall(call, _) => call,
                _ => return None,
            },
            _ => return None,
        };
        let Some(Expr::DynamicConstant(value, _)) = call.args.first() else { return None };
        let name = value.read_lock::<FnPtr>()?.fn_name().to_owned();
        Some(self.closure(&name, call.args.len() - 1))
    }

    /// Until its body is known, a closure's parameters stand for what it captures: their number is what is needed.
    fn closure(&mut self, name: &str, captured: usize) -> Kind {
        let params = vec![String::new(); captured];
        self.tree.closures.insert(name.to_owned(), Closure { params, body: Vec::new() });
        Kind::Closure(name.to_owned())
    }
}
