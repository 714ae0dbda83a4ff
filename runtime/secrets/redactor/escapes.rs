//! Takes the escapes of a text for what they stand for, layer by layer: backslashes as in JSON, C and shells, percent signs as in
//! URLs, entities as in XML and HTML, and the escape sequences of terminals, which stand for nothing.
//!
//! A text is read as any of these languages at once: that is wrong for each of them in places, but it is wrong in the same way for
//! a secret and for its encoded forms, so that both come out alike.

use super::bytes::Unit;

/// How many layers are taken off, by turns one of terminal sequences and one of the others: JSON in a URL in JSON has three.
const LAYERS: usize = 24;

/// An escape that is longer than this is none.
const LONGEST: usize = 1024;

/// A text without its escapes, byte by byte, as the bytes come in.
#[derive(Default)]
pub(super) struct Escapes {
    layers: [Layer; LAYERS],
    /// A bit for each layer that waits for the rest of an escape.
    waiting: u32,
}

impl Escapes {
    #[inline]
    pub(super) fn push(&mut self, unit: Unit, out: &mut impl FnMut(Unit)) {
        if self.waiting == 0 && !begins_escape(unit.byte) {
            out(unit);
        } else {
            self.pass(0, unit, out);
        }
    }

    /// Is an escape begun that is not whole yet?
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting != 0
    }

    /// The text ends here: an escape that is not whole is none.
    pub(super) fn rest(&mut self, out: &mut impl FnMut(Unit)) {
        while self.waiting != 0 {
            self.read(self.waiting.trailing_zeros() as usize, true, out);
        }
    }

    /// Where the first escape begins that is not whole yet.
    pub(super) fn held(&self) -> usize {
        let starts = self.layers.iter().filter_map(|layer| layer.pending.first());
        starts.map(|unit| unit.start).min().unwrap_or(usize::MAX)
    }

    /// Hands a byte through the layers from this one on: to the first that waits, or in which an escape may begin with it.
    fn pass(&mut self, from: usize, unit: Unit, out: &mut dyn FnMut(Unit)) {
        let waits = (self.waiting >> from).trailing_zeros() as usize;
        let leads = match unit.byte {
            ESCAPE => from % 2,
            byte if begins_escape(byte) => 1 - from % 2,
            _ => LAYERS,
        };
        let at = from + waits.min(leads);
        let Some(layer) = self.layers.get_mut(at) else { return out(unit) };
        if !layer.pending.is_empty() && layer.passes_over(unit.byte) {
            return;
        }
        layer.pending.push(unit);
        let last = layer.pending.len() > LONGEST;
        self.read(at, last, out);
    }

    /// Reads what a layer waits with as far as it goes, to its end when no more will come.
    fn read(&mut self, at: usize, last: bool, out: &mut dyn FnMut(Unit)) {
        let mut pending = std::mem::take(&mut self.layers[at].pending);
        let read = if is_for_terminals(at) { sequence } else { escape };
        let used = take_off(&pending, read, last, &mut |unit| self.pass(at + 1, unit, out));
        pending.drain(..used);
        self.waiting = self.waiting & !(1 << at) | u32::from(!pending.is_empty()) << at;
        self.layers[at].pending = pending;
    }
}

/// A text with all its layers of escapes taken off.
pub(super) fn unescaped(text: &str) -> Vec<Unit> {
    let (mut escapes, mut units) = (Escapes::default(), Vec::new());
    for (start, byte) in text.bytes().enumerate() {
        escapes.push(Unit { byte, start, end: start + 1 }, &mut |unit| units.push(unit));
    }
    escapes.rest(&mut |unit| units.push(unit));
    units
}

/// May an escape of any kind begin with this byte?
pub(super) const fn begins_escape(byte: u8) -> bool {
    matches!(byte, ESCAPE | b'\\' | b'%' | b'&')
}

/// How many bytes more than what it stands for an escape has at least that begins with this byte: `\n`, `%0a`, `&lt;`, `ESC c`.
pub(super) const fn least_of_escape(byte: u8) -> Option<usize> {
    match byte {
        b'\\' => Some(1),
        b'%' | ESCAPE => Some(2),
        b'&' => Some(3),
        _ => None,
    }
}

/// Begins a sequence for terminals.
const ESCAPE: u8 = 0x1b;

/// One layer: what came in and may be the beginning of an escape.
#[derive(Default)]
struct Layer {
    pending: Vec<Unit>,
    /// Did a line end in the middle of it?
    folded: bool,
}

/// Terminal sequences may stand in the middle of other escapes, but not the other way round.
fn is_for_terminals(layer: usize) -> bool {
    layer.is_multiple_of(2)
}

/// What the first bytes of a text are.
enum Read {
    /// It takes more of them to say.
    More,
    /// So many bytes that stand for nothing.
    Nothing(usize),
    /// So many bytes that stand for this one.
    Byte(usize, u8),
    /// So many bytes that stand for this character.
    Char(usize, char),
}

impl Layer {
    /// May this byte stand in the middle of an escape? A line end and the indentation after it, and the zeros of UTF-16.
    fn passes_over(&mut self, byte: u8) -> bool {
        let is_end = matches!(byte, b'\r' | b'\n');
        let is_passed = is_end || byte == 0 || (self.folded && matches!(byte, b' ' | b'\t'));
        self.folded = is_passed && (is_end || self.folded);
        is_passed
    }
}

/// Takes the escapes off bytes, as far as it goes, to the end when no more will come; says how far that was.
fn take_off(pending: &[Unit], read: fn(&[Unit]) -> Read, last: bool, out: &mut dyn FnMut(Unit)) -> usize {
    let mut at = 0;
    while at < pending.len() {
        let pending = &pending[at..];
        let read = match read(pending) {
            Read::More if last => Read::Byte(1, pending[0].byte),
            read => read,
        };
        let span = |used: usize, byte: u8| Unit { byte, start: pending[0].start, end: pending[used - 1].end };
        at += match read {
            Read::More => break,
            Read::Nothing(used) => used,
            Read::Byte(used, byte) => {
                out(span(used, byte));
                used
            }
            Read::Char(used, c) => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().for_each(|byte| out(span(used, byte)));
                used
            }
        };
    }
    at
}

/// An escape of a program or of markup.
fn escape(text: &[Unit]) -> Read {
    match text[0].byte {
        b'\\' => backslash(text),
        b'%' => match hex(text, 1, 2) {
            Digits::All(value) => Read::Byte(3, value.to_le_bytes()[0]),
            Digits::Wrong => Read::Byte(1, b'%'),
            Digits::More => Read::More,
        },
        b'&' => entity(text),
        byte => Read::Byte(1, byte),
    }
}

/// Of JSON, C, Python and shells. A backslash before something without a meaning is dropped; one before a number that is not whole
/// is kept for the next layer, in which it may be.
fn backslash(text: &[Unit]) -> Read {
    let Some(kind) = text.get(1) else { return Read::More };
    let byte = |from: usize, digits: Digits| match digits {
        Digits::All(value) => Read::Byte(from, value.to_le_bytes()[0]),
        Digits::Wrong => Read::Byte(1, b'\\'),
        Digits::More => Read::More,
    };
    match kind.byte {
        b'\\' => Read::Byte(2, b'\\'),
        b'n' | b'N' | b'r' | b'R' | b't' | b'T' | b'b' | b'B' | b'f' | b'F' | b'v' | b'a' | b'e' => {
            Read::Byte(2, b'\n')
        }
        b'u' | b'U' => unicode(text),
        b'x' | b'X' => byte(4, hex(text, 2, 2)),
        b'0'..=b'3' => byte(4, digits(text, 1, 3, 8)),
        ESCAPE => Read::Byte(1, b'\\'),
        _ => Read::Nothing(1),
    }
}

/// `\u0041`, `\U00000041`, `\u{41}`.
fn unicode(text: &[Unit]) -> Read {
    let number = |length: usize| match hex(text, 2, length) {
        Digits::All(value) => character(text, 2 + length, value),
        Digits::Wrong => Read::Byte(1, b'\\'),
        Digits::More => Read::More,
    };
    // Eight digits begin with zeros, four hardly ever do.
    let long = matches!(hex(text, 2, 3), Digits::All(0)) && !matches!(hex(text, 2, 8), Digits::Wrong);
    match text.get(2).map(|first| first.byte) {
        Some(b'{') => braced(text),
        Some(_) if text[1].byte == b'U' && long => number(8),
        _ => number(4),
    }
}

/// A character by its number; a high surrogate together with the low one after it.
fn character(text: &[Unit], used: usize, value: u32) -> Read {
    if !(0xD800..0xDC00).contains(&value) {
        return char::from_u32(value).map_or(Read::Nothing(used), |c| Read::Char(used, c));
    }
    match (text.get(used), text.get(used + 1)) {
        (Some(backslash), Some(kind)) if backslash.byte == b'\\' && matches!(kind.byte, b'u' | b'U') => {}
        (Some(backslash), None) if backslash.byte == b'\\' => return Read::More,
        (None, _) => return Read::More,
        _ => return Read::Nothing(used),
    }
    let from = used + 2;
    match hex(text, from, 4) {
        Digits::All(low @ 0xDC00..0xE000) => {
            let value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
            char::from_u32(value).map_or(Read::Nothing(from + 4), |c| Read::Char(from + 4, c))
        }
        Digits::More => Read::More,
        _ => Read::Nothing(used),
    }
}

/// `\u{1f600}`.
fn braced(text: &[Unit]) -> Read {
    let length = text[3..].iter().take_while(|unit| unit.byte.is_ascii_hexdigit()).count();
    match (text.get(3 + length).map(|unit| unit.byte), hex(text, 3, length)) {
        (None, _) if length <= 6 => Read::More,
        (Some(b'}'), Digits::All(value)) => character(text, 4 + length, value),
        _ => Read::Byte(1, b'\\'),
    }
}

/// `&amp;`, `&#38;`, `&#x26;`.
fn entity(text: &[Unit]) -> Read {
    const LONGEST: usize = 10;
    let name: Vec<u8> = text[1..]
        .iter()
        .map(|unit| unit.byte.to_ascii_lowercase())
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'#')
        .take(LONGEST)
        .collect();
    let used = name.len() + 2;
    match text.get(name.len() + 1).map(|unit| unit.byte) {
        None => return Read::More,
        Some(b';') => {}
        Some(_) => return Read::Byte(1, b'&'),
    }
    let number = |digits: Option<&[u8]>, base: u32| {
        let digits = std::str::from_utf8(digits?).ok()?;
        u32::from_str_radix(digits, base).ok().and_then(char::from_u32)
    };
    let c = match name.as_slice() {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        b"nbsp" => Some(' '),
        name => number(name.strip_prefix(b"#x"), 16).or_else(|| number(name.strip_prefix(b"#"), 10)),
    };
    c.map_or(Read::Byte(1, b'&'), |c| Read::Char(used, c))
}

/// The escape sequences of ECMA-48: `ESC [ … m` and the like, and the strings that end with BEL or `ESC \`.
fn sequence(text: &[Unit]) -> Read {
    if text[0].byte != ESCAPE {
        return Read::Byte(1, text[0].byte);
    }
    let Some(kind) = text.get(1) else { return Read::More };
    let after = &text[2..];
    let end = match kind.byte {
        b'[' => after.iter().position(|unit| !(0x20..0x40).contains(&unit.byte)),
        b']' | b'P' | b'_' | b'^' | b'X' => {
            let bell = after.iter().position(|unit| unit.byte == 0x07);
            let string = after.windows(2).position(|pair| pair[0].byte == ESCAPE && pair[1].byte == b'\\');
            bell.into_iter().chain(string.map(|at| at + 1)).min()
        }
        b'(' | b')' | b'#' => (!after.is_empty()).then_some(0),
        _ => return Read::Byte(1, ESCAPE),
    };
    end.map_or(Read::More, |end| Read::Nothing(end + 3))
}

/// Digits from some place on.
enum Digits {
    /// All that were wanted, as a number.
    All(u32),
    /// Something else than a digit is among them.
    Wrong,
    /// Only digits so far, but the text ends too early.
    More,
}

fn hex(text: &[Unit], from: usize, length: usize) -> Digits {
    digits(text, from, length, 16)
}

fn digits(text: &[Unit], from: usize, length: usize, base: u32) -> Digits {
    let mut value = 0_u32;
    for at in from..from + length {
        let Some(unit) = text.get(at) else { return Digits::More };
        let Some(digit) = char::from(unit.byte).to_digit(base) else { return Digits::Wrong };
        value = value.wrapping_mul(base).wrapping_add(digit);
    }
    Digits::All(value)
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    fn plain(text: &str) -> String {
        String::from_utf8(unescaped(text).iter().map(|unit| unit.byte).collect()).unwrap()
    }

    #[test]
    fn escapes_of_every_kind_are_taken_off() {
        assert_eq!(plain(r"a\u003cb\u0026c"), "a<b&c");
        assert_eq!(plain(r"\x41\101\u{42}\U00000043"), "AABC");
        assert_eq!(plain(r"\ud83d\ude00 \u{1f600} &#x1f600;"), "😀 😀 😀");
        assert_eq!(plain("%41%2f%zz%"), "A/%zz%");
        assert_eq!(plain("&lt;&amp;&#39;&#X2f;&unknown;&"), "<&'/&unknown;&");
        assert_eq!(plain("a\x1b[31mb\x1b[0mc\x1b]0;title\x07d\x1b]8;;u\x1b\\e\x1b(Bf"), "abcdef");
    }

    #[test]
    fn layers_are_taken_off_one_by_one() {
        assert_eq!(plain(r"\\\\u003c"), "<");
        assert_eq!(plain("%252541"), "A");
        assert_eq!(plain("&amp;amp;lt;"), "<");
        assert_eq!(plain(r"\u0025\u0032\u0046"), "/");
        assert_eq!(plain("%5Cu0026lt%3B"), "<");
        assert_eq!(plain(r"\u001b[1mx"), "x");
        assert_eq!(plain("\\u00\x1b[1m41 \\\\\\nu0041"), "A A");
    }

    #[test]
    fn a_line_end_in_an_escape_is_none() {
        assert_eq!(plain("%4\r\n1 \\u00\n41 &a\nmp;"), "A A &");
    }
}
