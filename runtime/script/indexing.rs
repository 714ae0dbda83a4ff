//! Where a script takes something out of a text, a list or a map by an index: the language does that itself and asks no function, so
//! that a plan would take a letter out of the description of something unknown for a letter of the text.
//!
//! `a[i]` becomes `a[a.__at(i)]`, which looks at both before. What calls something is done once: `f()[i]` becomes
//! `__whole(f())[().__at(i)]`, and of `a[f()][i]`, which may be assigned to, the first index is kept for the second:
//! `a[a.__at(f(), 12)][a[__kept(12)].__at(i)]`.

use rhai::{Engine, Token};

use super::foresight::{Insertions, Place};

/// One bracket and what is in it.
#[derive(Default)]
struct Open {
    /// Where the value begins that was read last, while it may go on with `.`, `[` or `(`.
    value: Option<Place>,
    /// Is something called or built in it, so that it cannot be read twice?
    calls: bool,
    /// Is it read to its end, as behind a name?
    is_read: bool,
    /// What this bracket indexes, when it does.
    index: Option<Index>,
    /// Is something called in here?
    has_call: bool,
    kind: Kind,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Other,
    /// A block: no value stands there when it is over.
    Block,
    /// What is computed in a text, which goes on behind it.
    InText,
}

/// `a[…]`: where `a` begins, where its bracket is and how wide, and whether `a` calls something.
struct Index {
    value: Place,
    bracket: Place,
    width: usize,
    calls: bool,
}

/// A text, and the indexes in it that call something: from where to where.
struct Written<'a> {
    lines: Vec<&'a str>,
    kept: Vec<(Place, Place)>,
}

/// Has every index of a text looked at.
pub(super) fn ask(all: &mut Insertions, engine: &Engine, text: &str) {
    let mut written = Written { lines: text.split('\n').collect(), kept: Vec::new() };
    let texts = [&text];
    let (tokens, control) = engine.lex(texts);
    let mut open = vec![Open::default()];
    let mut is_after_text = false;
    for (token, position) in tokens {
        let Some(top) = open.last_mut() else { return };
        // The rest of a text has no place of its own.
        let place = (position.line().unwrap_or(1), position.position().unwrap_or(1));
        let in_text = std::mem::take(&mut is_after_text);
        match token {
            Token::EOF | Token::LexError(_) => return,
            Token::LeftBracket | Token::QuestionBracket => {
                let width = if token == Token::LeftBracket { 1 } else { 2 };
                let index = top.value.filter(|_| top.is_read);
                let index = index.map(|value| Index { value, bracket: place, width, calls: top.calls });
                if index.is_none() {
                    top.begin(place, true);
                }
                open.push(Open { index, ..Open::default() });
            }
            Token::LeftParen | Token::MapStart => {
                if token == Token::LeftParen && top.is_read {
                    top.call();
                } else {
                    top.begin(place, true);
                }
                open.push(Open::default());
            }
            // The brackets of a call without arguments are one token.
            Token::Unit if top.is_read => top.call(),
            Token::LeftBrace => {
                open.push(Open { kind: if in_text { Kind::InText } else { Kind::Block }, ..Open::default() });
            }
            Token::RightBracket | Token::RightParen | Token::RightBrace => {
                let Some(closed) = open.pop() else { return };
                let Some(top) = open.last_mut() else { return };
                top.has_call |= closed.has_call;
                if let Some(index) = closed.index {
                    written.ask(all, &index, place, closed.has_call);
                }
                control.borrow_mut().is_within_text = closed.kind == Kind::InText;
                top.is_read = closed.kind != Kind::Block;
                is_after_text = closed.kind == Kind::InText;
            }
            Token::Period | Token::Elvis | Token::DoubleColon => top.is_read = false,
            Token::InterpolatedString(_) => {
                if !in_text {
                    top.begin(place, true);
                }
                is_after_text = true;
            }
            // The last part of a text in which something is computed.
            Token::StringConstant(_) if in_text => top.is_read = true,
            ref token if is_value(token) => {
                if top.value.is_none() || top.is_read {
                    top.begin(place, false);
                }
                top.is_read = true;
            }
            _ => (top.value, top.is_read) = (None, false),
        }
    }
}

impl Open {
    fn begin(&mut self, place: Place, calls: bool) {
        (self.value, self.calls, self.is_read) = (Some(place), calls, false);
    }

    fn call(&mut self) {
        (self.calls, self.has_call) = (true, true);
    }
}

impl Written<'_> {
    /// Asks for an index that ends at a place.
    fn ask(&mut self, all: &mut Insertions, index: &Index, end: Place, has_call: bool) {
        let value = self.again(index.value, index.bracket);
        let begin = (index.bracket.0, index.bracket.1 + index.width);
        let kept = if has_call { format!(", {})", number(begin)) } else { ")".to_owned() };
        // A comment in there would swallow what follows.
        if index.calls || value.contains("//") {
            all.put_around(Some(index.value), "__whole(", Some(index.bracket), ")");
            all.put_around(Some(begin), "().__at(", Some(end), &kept);
        } else {
            all.put_around(Some(begin), &format!("{value}.__at("), Some(end), &kept);
        }
        if has_call {
            self.kept.push((begin, end));
        }
    }

    /// A part of the text to be read once more, in one line.
    fn again(&self, from: Place, to: Place) -> String {
        let mut kept: Vec<_> = self.kept.iter().filter(|kept| kept.0 >= from && kept.1 <= to).collect();
        kept.sort();
        let (mut text, mut at) = (String::new(), from);
        for (begin, end) in kept {
            // What is in one that is kept as well is no longer asked for.
            if *begin >= at {
                text += &format!("{}__kept({})", self.between(at, *begin), number(*begin));
                at = *end;
            }
        }
        text + self.between(at, to).as_str()
    }

    fn between(&self, from: Place, to: Place) -> String {
        let part = |number: usize| {
            let line = self.lines.get(number - 1).copied().unwrap_or_default().chars();
            let begin = if number == from.0 { from.1 - 1 } else { 0 };
            let end = if number == to.0 { to.1 - 1 } else { usize::MAX };
            line.take(end).skip(begin).collect::<String>()
        };
        (from.0..=to.0).map(part).collect::<Vec<_>>().join(" ")
    }
}

/// What an index is kept by.
fn number((line, column): Place) -> usize {
    line * 10_000 + column
}

fn is_value(token: &Token) -> bool {
    use Token::{CharConstant, False, FloatConstant, Identifier, IntegerConstant, StringConstant, True, Unit};
    match token {
        Identifier(_) | StringConstant(_) | CharConstant(_) | IntegerConstant(_) | FloatConstant(_) | True | False
        | Unit => true,
        Token::Reserved(word) => word.starts_with(char::is_alphabetic),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine;
    use super::*;

    fn asked(text: &str) -> String {
        let engine = engine::for_reading();
        let ast = engine.compile(text).unwrap();
        let asked = Insertions::of(&engine, text, &ast).put_into(text);
        engine.compile(&asked).unwrap_or_else(|error| panic!("{asked}: {error}"));
        asked
    }

    #[test]
    fn every_index_is_looked_at_and_nothing_is_called_twice() {
        for (text, expected) in [
            ("a[1]", "a[a.__at(1)]"),
            ("a?[1]", "a?[a.__at(1)]"),
            ("a.b[1].c", "a.b[a.b.__at(1)].c"),
            ("a[b[1]][2]", "a[a.__at(b[b.__at(1)])][a[b[1]].__at(2)]"),
            ("a[1] = b[2];", "a[a.__at(1)] = b[b.__at(2)];"),
            ("a[f()][1] = 2", "a[a.__at(f(), 10003)][a[__kept(10003)].__at(1)] = 2"),
            ("a[f(b[g()])].c[1]", "a[a.__at(f(b[b.__at(g(), 10007)]), 10003)].c[a[__kept(10003)].c.__at(1)]"),
            ("f()[1]", "__whole(f())[().__at(1)]"),
            ("a.b()[1].c(2)[3]", "__whole(__whole(a.b())[().__at(1)].c(2))[().__at(3)]"),
            ("[1, 2][0]", "__whole([1, 2])[().__at(0)]"),
            ("x = [1]; [2]", "x = [1]; [2]"),
            ("if a { [1] }", "if  __decides(a ){ [1] }"),
            ("`q${t[1]}`[0]", "__whole(`q${t[t.__at(1)]}`)[().__at(0)]"),
            ("`q${t}w`[0]", "__whole(`q${t}w`)[().__at(0)]"),
            ("\"ab\"[0]", "\"ab\"[\"ab\".__at(0)]"),
            ("a\n  .b\n  [1]", "a\n  .b\n  [a   .b   .__at(1)]"),
            ("|x| x[0]", "|x| x[x.__at(0)]"),
            ("|| this.x[0]", "|| this.x[this.x.__at(0)]"),
        ] {
            assert_eq!(asked(text), expected);
        }
    }
}
