//! A plan ends where its script decides on something unknown, whatever stands around it.
//!
//! The script engine says so with an error of its own, which a `catch` would take for a failure; and to a `switch` an unknown value is
//! one that no case names. So the text of a program that is planned gets a second `try` inside of each, which ends the plan at such an
//! error and passes every other on, and each `switch` asks first.

use std::collections::BTreeMap;

use rhai::{AST, ASTNode, Dynamic, Engine, EvalAltResult, Map, NativeCallContext, Position, Stmt, Token};

use super::bind::Binding;
use super::{convert, fault, unknown};
use crate::primitive::unknown_within;

const BEGIN: &str = " try {";
const END: &str = "} catch (__caught) { __pass_on(__caught); throw; } ";
const ASK: &str = " __known(";
const ASKED: &str = ")";

/// Line and column, from 1.
type Place = (usize, usize);

/// What was put into a text, by places of the text as it was written.
#[derive(Clone, Default)]
pub(super) struct Insertions(BTreeMap<Place, &'static str>);

impl Insertions {
    /// What a compiled text needs for a plan.
    pub(super) fn of(engine: &Engine, text: &str, ast: &AST) -> Self {
        let mut found = BTreeMap::new();
        ast.walk(&mut |nodes: &[ASTNode<'_>]| {
            let around = match nodes.last() {
                Some(ASTNode::Stmt(Stmt::TryCatch(attempt, _))) => {
                    let (begin, end) = (place(attempt.body.position()), place(attempt.body.end_position()));
                    begin.zip(end).map(|((line, column), end)| [((line, column + 1), BEGIN), (end, END)])
                }
                Some(ASTNode::Stmt(Stmt::Switch(_, position))) => place(*position).and_then(|(line, column)| {
                    let value = (line, column + "switch".len());
                    Some([(value, ASK), (opening(engine, text, value)?, ASKED)])
                }),
                _ => None,
            };
            found.extend(around.into_iter().flatten());
            true
        });
        Self(found)
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

/// The first brace after a place that opens a block, and no map, closure or part of a text.
fn opening(engine: &Engine, text: &str, (line, column): Place) -> Option<Place> {
    let mut rest: Vec<&str> = text.split('\n').skip(line - 1).collect();
    let first = rest.first_mut()?;
    *first = first.char_indices().nth(column - 1).map_or("", |(at, _)| &first[at..]);
    let rest = rest.join("\n");
    let rest = [&rest];
    let (tokens, control) = engine.lex(rest);
    let (mut open, mut in_text) = (Vec::new(), false);
    for (token, position) in tokens {
        match token {
            Token::LeftBrace if open.is_empty() && !in_text => {
                let (lines, letters) = place(position)?;
                return Some((line + lines - 1, if lines == 1 { column + letters - 1 } else { letters }));
            }
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
