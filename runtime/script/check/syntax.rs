//! Errors of the compiler in the words of somebody who writes runbooks.

use rhai::{LexError, ParseError, ParseErrorType};

use super::finding::{Details, error};
use super::source::Source;
use super::tree::At;
use crate::failure::Finding;

const CODE: &str = "syntax";

/// The finding for a text that does not compile.
pub(super) fn explain(problem: &ParseError, source: &Source) -> Finding {
    let position = problem.position();
    let at = position.line().map_or_else(
        || source.at(source.text().trim_end().len()),
        |line| At { line, column: position.position().unwrap_or(1) },
    );
    let before = source.end_of_code_before(at);
    match problem.err_type() {
        ParseErrorType::MissingToken(token, context) => missing(token, context, at, before, source),
        ParseErrorType::BadInput(lex) => lexical(lex, at, source),
        ParseErrorType::UnexpectedEOF => error(CODE, before, "the script ends in the middle of a statement")
            .hint("is a `}` or `)` missing further up?"),
        ParseErrorType::Reserved(word) => reserved(word, at),
        ParseErrorType::UnknownOperator(operator) if operator == "?" => {
            error(CODE, at, "there is no `condition ? a : b`").hint("write `if condition { a } else { b }`")
        }
        ParseErrorType::UnknownOperator(operator) => {
            let finding =
                error(CODE, at, format!("there is no operator `{operator}`")).length(operator.chars().count());
            match operator.as_str() {
                "++" => finding.hint("write `+= 1`"),
                "--" => finding.hint("write `-= 1`"),
                "=>" => finding.hint("a closure is written `|| …`"),
                _ => finding,
            }
        }
        ParseErrorType::DuplicatedProperty(key) => error(CODE, at, format!("the map has `{key}` twice")),
        ParseErrorType::AssignmentToConstant(name) => {
            error("constant", at, format!("`{name}` is a constant and cannot be changed"))
                .hint(format!("declare it with `let {name} = …`"))
        }
        ParseErrorType::AssignmentToInvalidLHS(_) => {
            error(CODE, at, "nothing can be assigned to the left side of this `=`").hint("to compare, write `==`")
        }
        ParseErrorType::FnDuplicatedDefinition(name, parameters) => error(
            "duplicate-function",
            at,
            format!("there is already a function `{name}` with {}", super::names::count(*parameters, "parameter")),
        ),
        ParseErrorType::WrongFnDefinition => {
            error(CODE, at, "a function is defined at the top of a file, not inside a block")
                .hint("move it out of the block, or use a closure: `let name = |a, b| …;`")
        }
        ParseErrorType::LoopBreak => error(CODE, at, "`break` and `continue` belong inside a loop")
            .hint("to leave a block or a function, write `return`"),
        ParseErrorType::VariableExpected => error(CODE, at, "a name of a variable is missing here"),
        ParseErrorType::PropertyExpected => {
            error(CODE, at, "a name is missing here: a map is written `#{ name: value }`")
        }
        ParseErrorType::ExprExpected(_) => error(CODE, at, "a value is missing here"),
        ParseErrorType::WrongExport => error(CODE, at, "`export` belongs outside of blocks and functions"),
        ParseErrorType::WrongDocComment => error(CODE, at, "a `///` comment documents a function, and none follows it")
            .hint("use `//` for other comments"),
        ParseErrorType::FnMissingBody(name) => {
            error(CODE, at, format!("function `{name}` has no body")).hint("write `{ … }` after its parameters")
        }
        other => error(CODE, at, decapitalised(&other.to_string())),
    }
}

fn missing(token: &str, context: &str, at: At, before: At, source: &Source) -> Finding {
    let here = source.text().get(source.offset(at)..).unwrap_or_default();
    let line_before = source.text().lines().nth(before.line.saturating_sub(1)).unwrap_or_default();
    if token == ";" {
        let word = line_before.split_whitespace().next().unwrap_or_default();
        if here.starts_with("==") && matches!(word, "let" | "const") {
            return error(CODE, at, "a declaration takes one `=`").length(2).replace("=");
        }
        if here.starts_with("++") || here.starts_with("--") {
            let sign = &here[..1];
            return error(CODE, at, format!("there is no operator `{sign}{sign}`"))
                .length(2)
                .hint(format!("write `{sign}= 1`"))
                .replace(format!(" {sign}= 1"));
        }
        if let Some(other) = ["and ", "or "].into_iter().find(|word| here.starts_with(word)) {
            let symbol = if other == "and " { "&&" } else { "||" };
            return error(CODE, at, format!("`{}` is not an operator", other.trim()))
                .hint(format!("write `{symbol}`"))
                .replace(symbol);
        }
        if let Some(wrong) = ["function", "def", "func"].into_iter().find(|wrong| *wrong == word) {
            let start =
                At { line: before.line, column: line_before.chars().take_while(|c| c.is_whitespace()).count() + 1 };
            return error(CODE, start, format!("a function is defined with `fn`, not `{wrong}`")).replace("fn");
        }
        if here.trim_start().is_empty() {
            return error(CODE, before, "the script ends in the middle of a block or statement")
                .hint("is a `}` or `)` missing further up?");
        }
        return error(CODE, before, "a `;` is missing after this statement").length(1);
    }
    let context = context.trim();
    let word: String = here.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    if context.contains("map") && !word.is_empty() && here[word.len()..].trim_start().starts_with(':') {
        return error(CODE, at, format!("`{word}` is a word of the language"))
            .length(word.chars().count())
            .hint(format!("as a key it is written in quotes: `\"{word}\": …`"))
            .replace(format!("\"{word}\""));
    }
    if here.starts_with("=>") {
        return error(CODE, at, "`=>` does not make a closure").length(2).hint("a closure is written `|| …`");
    }
    let message = match token {
        ")" | "]" | "}" => {
            let what = match context {
                _ if context.contains("arguments list") => of_call(context),
                _ if context.contains("array") => "of the list".into(),
                _ if context.contains("map") => "of the map".into(),
                _ if context.contains("block") => "of the block".into(),
                _ => "here".into(),
            };
            format!("the closing `{token}` {what} is missing")
        }
        "," if here.is_empty() || here.starts_with([';', '}', ')', ']']) => {
            let (close, what) = match context {
                _ if context.contains("array") => ("]", "of the list".to_owned()),
                _ if context.contains("map") => ("}", "of the map".to_owned()),
                _ => (")", of_call(context)),
            };
            format!("the closing `{close}` {what} is missing")
        }
        "," => format!("a `,` is missing {}", decapitalised(context).replace('\'', "`")),
        "{" => "a block in braces `{ … }` is missing here".into(),
        _ => format!("`{token}` is missing {}", decapitalised(context).replace('\'', "`")),
    };
    let at = if matches!(token, ")" | "]" | "}" | ",") { before } else { at };
    error(CODE, at, message).length(1)
}

fn of_call(context: &str) -> String {
    match context.split('\'').nth(1) {
        Some(function) => format!("of the call of `{function}`"),
        None => "of this call".to_owned(),
    }
}

fn lexical(problem: &LexError, at: At, source: &Source) -> Finding {
    match problem {
        LexError::UnterminatedString => error(CODE, at, "this string is not closed: its `\"` is missing")
            .hint("a text over several lines is written between backticks"),
        LexError::MalformedChar(_) => {
            let length = source.token_length(at);
            let token: String = source.text()[source.offset(at)..].chars().take(length).collect();
            let finding = error(CODE, at, "single quotes hold one character; a string takes double quotes");
            finding.length(length).replace(format!("\"{}\"", token.trim_matches('\'')))
        }
        LexError::ImproperSymbol(symbol, _) if symbol == "=" => {
            error("assignment-in-condition", at, "`=` assigns and does not compare").replace("==").hint("write `==`")
        }
        LexError::ImproperSymbol(symbol, _) if symbol == "===" || symbol == "!==" => {
            let shorter = &symbol[..2];
            error(CODE, at, format!("there is no operator `{symbol}`"))
                .length(3)
                .hint(format!("write `{shorter}`"))
                .replace(shorter)
        }
        LexError::ImproperSymbol(symbol, reason) => {
            let finding = error(CODE, at, format!("`{symbol}` is not understood here")).length(symbol.chars().count());
            match symbol.as_str() {
                "=>" => finding.hint("a closure is written `|| …`"),
                _ if reason.is_empty() => finding,
                _ => finding.hint(decapitalised(reason).replace('\'', "`")),
            }
        }
        LexError::MalformedEscapeSequence(sequence) => {
            error(CODE, at, format!("`{sequence}` is not an escape sequence")).hint("write `\\\\` for a backslash")
        }
        LexError::MalformedNumber(number) => error(CODE, at, format!("`{number}` is not a number"))
            .hint("durations and sizes are strings: \"90s\", \"2GiB\""),
        LexError::UnexpectedInput(input) => error(CODE, at, format!("`{input}` is not expected here")),
        other => error(CODE, at, decapitalised(&other.to_string())),
    }
}

fn reserved(word: &str, at: At) -> Finding {
    let finding = error(CODE, at, format!("`{word}` cannot be used here")).length(word.chars().count());
    match word {
        "null" | "nil" => finding.hint("nothing is written `()`").replace("()"),
        "var" => finding.hint("a variable is declared with `let`").replace("let"),
        "#" => finding.hint("a comment starts with `//`").replace("//"),
        "async" | "await" | "spawn" | "thread" => finding.hint("`parallel` runs several closures at once"),
        "match" | "case" => finding.hint("use `switch value { 1 => …, _ => … }`, or another name"),
        _ if super::names::is_word(word) => finding.hint("the language reserves this word: use another name"),
        _ => finding,
    }
}

fn decapitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
