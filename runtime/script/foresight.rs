//! A plan ends where its script decides on something unknown, whatever stands around it.
//!
//! The script engine says so with an error of its own, which a `catch` would take for a failure; and to a `switch` an unknown value is
//! one that no case names. So the text of a program that is planned gets a second `try` inside of each, which ends the plan at such an
//! error and passes every other on, and each `switch` asks first. Its error names no value either, so that conditions ask as well: only
//! the value itself tells what it depends on.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use rhai::{
    AST, ASTNode, Dynamic, Engine, EvalAltResult, Expr, FuncRegistration, Map, Module, NativeCallContext, Position,
    RhaiFunc, Stmt, Token,
};

use super::bind::Binding;
use super::unknown::{self, Unknown, in_text};
use super::{convert, fault, indexing};
use crate::primitive::unknown_within;

const BEGIN: &str = " try {";
const END: &str = "} catch (__caught) { __pass_on(__caught); throw; } ";
const ASK: &str = " __known(";
const ASK_CONDITION: &str = " __decides(";
const ASKED: &str = ")";

/// Line and column, from 1.
pub(super) type Place = (usize, usize);

/// What was put into a text, by places of the text as it was written.
#[derive(Clone, Default)]
pub(super) struct Insertions(BTreeMap<Place, String>);

impl Insertions {
    /// What a compiled text needs for a plan.
    pub(super) fn of(engine: &Engine, text: &str, ast: &AST) -> Self {
        let mut all = Self::default();
        ast.walk(&mut |nodes: &[ASTNode<'_>]| {
            match nodes.last() {
                Some(ASTNode::Stmt(Stmt::TryCatch(attempt, _))) => {
                    let begin = place(attempt.body.position()).map(|(line, column)| (line, column + 1));
                    all.put_around(begin, BEGIN, place(attempt.body.end_position()), END);
                }
                Some(ASTNode::Stmt(Stmt::Switch(_, position))) => {
                    let value = place(*position).map(|(line, column)| (line, column + "switch".len()));
                    all.put_around(value, ASK, value.and_then(|value| opening(engine, text, value)), ASKED);
                }
                Some(ASTNode::Stmt(Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..))) => {
                    all.ask(engine, text, &flow.expr);
                }
                Some(ASTNode::Expr(Expr::Coalesce(operands, _))) => all.ask_before_nothing(engine, text, operands),
                Some(ASTNode::Expr(Expr::And(operands, _) | Expr::Or(operands, _))) => {
                    operands.iter().for_each(|operand| all.ask(engine, text, operand));
                }
                _ => {}
            }
            true
        });
        indexing::ask(&mut all, engine, text);
        all
    }

    /// Has `a ?? b` asked whether `a` is nothing.
    fn ask_before_nothing(&mut self, engine: &Engine, text: &str, operands: &[Expr]) {
        for operand in operands.iter().rev().skip(1).rev() {
            let begin = start(operand).and_then(place);
            let follows = |begin| ahead(engine, text, begin, |token| matches!(token, Token::DoubleQuestion));
            self.put_around(begin, ASK_CONDITION, begin.and_then(follows), ASKED);
        }
    }

    /// Has a condition asked for, unless it is a truth value anyway.
    fn ask(&mut self, engine: &Engine, text: &str, condition: &Expr) {
        if !matches!(condition, Expr::And(..) | Expr::Or(..)) {
            let begin = start(condition).and_then(place);
            self.put_around(begin, ASK_CONDITION, begin.and_then(|begin| end(engine, text, begin)), ASKED);
        }
    }

    /// Puts something before and behind a part of the text, inside of what is around that part already. Nothing without both places.
    pub(super) fn put_around(&mut self, begin: Option<Place>, before: &str, end: Option<Place>, behind: &str) {
        if let Some((begin, end)) = begin.zip(end) {
            self.0.entry(begin).or_default().push_str(before);
            self.0.entry(end).or_default().insert_str(0, behind);
        }
    }

    /// The text with all of it.
    pub(super) fn put_into(&self, text: &str) -> String {
        let lines = text.split('\n').zip(1..).map(|(line, number)| {
            let (mut letters, mut longer, mut done) = (line.chars(), String::new(), 1);
            for ((_, column), more) in self.0.range((number, 0)..(number + 1, 0)) {
                longer.extend(letters.by_ref().take(column - done));
                longer.push_str(more);
                done = *column;
            }
            longer.extend(letters);
            longer
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The place in the text as it was written.
    pub(super) fn written(&self, position: Position) -> Option<Place> {
        let (line, mut column) = place(position)?;
        for ((_, at), more) in self.0.range((line, 0)..(line + 1, 0)) {
            column = if column >= at + more.len() { column - more.len() } else { column.min(*at) };
        }
        Some((line, column))
    }
}

fn place(position: Position) -> Option<Place> {
    Some((position.line()?, position.position().unwrap_or(1)))
}

/// Where an expression begins; none for one that is a block.
fn start(expression: &Expr) -> Option<Position> {
    match expression {
        Expr::Stmt(..) => None,
        Expr::FnCall(call, own) => {
            let own = if call.namespace.is_empty() { *own } else { call.namespace.position() };
            // An operator stands behind its first operand.
            call.args.iter().map(start).chain([Some(own)]).min()?
        }
        Expr::And(operands, _) | Expr::Or(operands, _) | Expr::Coalesce(operands, _) => start(operands.first()?),
        Expr::Dot(both, ..) | Expr::Index(both, ..) => start(&both.lhs),
        other => Some(other.start_position()),
    }
}

/// The first brace after a place that opens a block, and no map, closure or part of a text.
fn opening(engine: &Engine, text: &str, begin: Place) -> Option<Place> {
    ahead(engine, text, begin, |token| matches!(token, Token::LeftBrace))
}

/// Where a condition, or an operand of `&&` and `||`, ends; none when there is a block in it.
fn end(engine: &Engine, text: &str, begin: Place) -> Option<Place> {
    let mut has_block = false;
    let end = ahead(engine, text, begin, |token| {
        has_block |= matches!(token, Token::If | Token::Switch | Token::While | Token::Loop | Token::For | Token::Do);
        let is_weaker = matches!(token, Token::And | Token::Or | Token::Ampersand | Token::Pipe | Token::XOr);
        let closes = matches!(token, Token::RightParen | Token::RightBracket | Token::RightBrace | Token::EOF);
        let follows = matches!(token, Token::LeftBrace | Token::Comma | Token::SemiColon | Token::DoubleArrow);
        is_weaker || closes || follows
    });
    end.filter(|_| !has_block)
}

/// The first token that fits after a place, in no bracket, map, closure or part of a text that is opened there.
fn ahead(engine: &Engine, text: &str, (line, column): Place, mut fits: impl FnMut(&Token) -> bool) -> Option<Place> {
    let mut rest: Vec<&str> = text.split('\n').skip(line - 1).collect();
    let first = rest.first_mut()?;
    *first = first.char_indices().nth(column - 1).map_or("", |(at, _)| &first[at..]);
    let rest = rest.join("\n");
    let rest = [&rest];
    let (tokens, control) = engine.lex(rest);
    let (mut open, mut in_text) = (Vec::new(), false);
    for (token, position) in tokens {
        if open.is_empty() && !in_text && fits(&token) {
            let (lines, letters) = place(position)?;
            return Some((line + lines - 1, if lines == 1 { column + letters - 1 } else { letters }));
        }
        match token {
            Token::LeftBrace | Token::LeftParen | Token::LeftBracket | Token::QuestionBracket | Token::MapStart => {
                open.push(in_text);
            }
            // A text goes on behind what is computed in it.
            Token::RightBrace | Token::RightParen | Token::RightBracket => {
                control.borrow_mut().is_within_text = open.pop()?;
            }
            Token::LexError(_) | Token::EOF => return None,
            _ => {}
        }
        in_text = matches!(token, Token::InterpolatedString(_));
    }
    None
}

/// What the insertions call.
pub(super) fn register(engine: &mut Engine, binding: &Binding) {
    let own = binding.clone();
    engine.register_fn("__known", move |context: NativeCallContext<'_>, value: Dynamic| {
        let known = convert::to_value(&value, &mut Vec::new());
        match known.ok().as_ref().and_then(unknown_within) {
            Some(what) => Err(unknown::ends(&own, &context, what)),
            None => Ok(value),
        }
    });
    let own = binding.clone();
    engine.register_fn("__whole", move |context: NativeCallContext<'_>, value: Dynamic| {
        in_text(&value).map_or(Ok(value), |what| Err(unknown::ends(&own, &context, &what)))
    });
    let kept: Arc<Mutex<HashMap<i64, Dynamic>>> = Arc::default();
    let (keep, own) = (kept.clone(), binding.clone());
    let at = move |context: Option<NativeCallContext<'_>>, arguments: &mut [&mut Dynamic]| {
        let Some(context) = context else { return Err("called without a context".into()) };
        if let Some(what) = arguments.iter().find_map(|value| in_text(value)) {
            return Err(unknown::ends(&own, &context, &what));
        }
        let key = arguments[1].clone();
        if let (Some(Ok(number)), Ok(mut kept)) = (arguments.get(2).map(|number| number.as_int()), keep.lock()) {
            kept.insert(number, key.clone());
        }
        Ok(key)
    };
    // Its receiver is not copied, and may be a constant.
    let at = RhaiFunc::Method { has_context: true, is_pure: true, is_volatile: true, func: Arc::new(at) };
    let (any, mut module) = (TypeId::of::<Dynamic>(), Module::new());
    FuncRegistration::new("__at").in_global_namespace().set_into_module_raw(&mut module, [any, any], at.clone());
    FuncRegistration::new("__at").in_global_namespace().set_into_module_raw(&mut module, [any, any, any], at);
    engine.register_global_module(module.into());
    engine.register_fn("__kept", move |number: i64| {
        kept.lock().ok().and_then(|kept| kept.get(&number).cloned()).unwrap_or(Dynamic::UNIT)
    });
    let own = binding.clone();
    engine.register_fn("__decides", move |context: NativeCallContext<'_>, value: Dynamic| {
        match value.read_lock::<Unknown>() {
            Some(unknown) => Err(unknown::ends(&own, &context, &unknown.0)),
            None => Ok(value.clone()),
        }
    });
    let own = binding.clone();
    engine.register_fn("__pass_on", move |context: NativeCallContext<'_>, caught: Dynamic| {
        let Some(error) = caught.read_lock::<Map>().filter(|error| error.contains_key("error")) else { return Ok(()) };
        if !error.get("message").is_some_and(|message| unknown::is_named(&message.to_string())) {
            return Ok(());
        }
        let number = |key: &str| -> Option<u16> { error.get(key)?.as_int().ok()?.try_into().ok() };
        let position = number("line").map(|line| Position::new(line, number("position").unwrap_or(1)));
        let position = position.unwrap_or(Position::NONE);
        let source = context.call_source().unwrap_or(&own.runbook);
        let failure = own.door.unforeseen(None, own.origins.site(source, position));
        Err::<(), Box<EvalAltResult>>(fault::to_error(failure, position))
    });
}
