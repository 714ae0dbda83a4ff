//! How secrets turn up in texts: every way in which programs write them, and secrets of every kind.

use std::fmt::Write;

/// A way to write a text, and its name.
pub type Encoding = (&'static str, fn(&str) -> String);

/// Ways to write any text, which can follow each other in any order.
pub const ENCODINGS: &[Encoding] = &[
    ("raw", str::to_owned),
    ("base64", |text| base64(text.as_bytes(), *b"+/", true)),
    ("base64 without padding", |text| base64(text.as_bytes(), *b"+/", false)),
    ("base64url", |text| base64(text.as_bytes(), *b"-_", false)),
    ("base64 of 1 + text", |text| base64(format!("u{text}").as_bytes(), *b"+/", true)),
    ("base64 of 2 + text + 3", |text| base64(format!("u:{text}xyz").as_bytes(), *b"+/", true)),
    ("base64 in lines of 76", |text| wrapped(&base64(text.as_bytes(), *b"+/", true), 76)),
    ("base64 in lines of 20", |text| wrapped(&base64(text.as_bytes(), *b"-_", true), 20)),
    ("base64 twice", |text| base64(base64(text.as_bytes(), *b"+/", true).as_bytes(), *b"+/", true)),
    ("base64 of UTF-16", |text| base64(&utf16(text, u16::to_le_bytes), *b"+/", true)),
    ("hex", |text| hex(text.as_bytes())),
    ("HEX", |text| hex(text.as_bytes()).to_uppercase()),
    ("hex with colons", |text| text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")),
    ("percent", |text| percent(text, str::to_uppercase)),
    ("percent in lower case", |text| percent(text, str::to_lowercase)),
    ("percent twice", |text| percent(&percent(text, str::to_uppercase), str::to_uppercase)),
    ("percent for all", |text| text.bytes().fold(String::new(), |out, byte| out + format!("%{byte:02X}").as_str())),
    ("form", |text| percent(text, str::to_uppercase).replace("%20", "+")),
    ("JSON", json),
    ("JSON in JSON", |text| json(&json(text))),
    ("JSON in JSON in JSON", |text| json(&json(&json(text)))),
    ("JSON of Go", |text| json(text).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")),
    ("JSON in ASCII", |text| units(&json(text), |c| !c.is_ascii())),
    ("JSON of numbers", |text| units(text, |_| true)),
    ("XML", |text| xml(text, "&#39;")),
    ("XML with apos", |text| xml(text, "&apos;")),
    ("XML twice", |text| xml(&xml(text, "&apos;"), "&apos;")),
    ("XML of numbers", |text| text.chars().fold(String::new(), |out, c| out + format!("&#{};", u32::from(c)).as_str())),
    ("shell, single quotes", |text| format!("'{}'", text.replace('\'', "'\\''"))),
    ("shell, both quotes", |text| format!("'{}'", text.replace('\'', "'\"'\"'"))),
    ("shell, double quotes", |text| format!("\"{}\"", before(text, "$`\"\\"))),
    ("printf %q", printf_q),
    ("Compose", |text| text.replace('$', "$$")),
    ("SQL", |text| text.replace('\'', "''")),
    ("Python", |text| text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")),
    ("Rust", |text| format!("{text:?}")),
    ("UPPER", str::to_uppercase),
    ("lower", str::to_lowercase),
    ("CRLF", |text| text.replace('\n', "\r\n")),
    ("YAML block", |text| format!("    {}\n", text.trim_end().replace('\n', "\n    "))),
    ("lines of 40", |text| wrapped(text, 40)),
    ("lines of 7", |text| wrapped(text, 7)),
    ("colours", |text| {
        text.chars().fold(String::new(), |out, c| out + format!("\x1b[3{}m{c}\x1b[0m", u32::from(c) % 8).as_str())
    }),
];

/// A way to make bytes of a text, and its name.
pub type Binary = (&'static str, fn(&str) -> Vec<u8>);

/// Ways that keep the text's bytes, but do not make text of them.
pub const BINARY: &[Binary] =
    &[("UTF-16LE", |text| utf16(text, u16::to_le_bytes)), ("UTF-16BE", |text| utf16(text, u16::to_be_bytes))];

/// The same numbers for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from((self.next() >> 16) % bound as u64).unwrap()
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_be_bytes()[2]).collect()
    }

    /// So many characters out of these.
    pub fn text(&mut self, characters: &str, length: usize) -> String {
        let characters: Vec<char> = characters.chars().collect();
        (0..length).map(|_| characters[self.below(characters.len())]).collect()
    }
}

/// So many secrets, of each kind in turn.
pub fn secrets(random: &mut Random, many: usize) -> Vec<String> {
    (0..many).map(|kind| secret(random, kind)).collect()
}

fn secret(random: &mut Random, kind: usize) -> String {
    match kind % 10 {
        0 => base64(&random.bytes(32), *b"+/", true),
        1 => hex(&random.bytes(20)),
        2 => format!("sk-live-{}", base64(&random.bytes(30), *b"-_", false)),
        3 => random.text("abcdefghkmXYZ019\"'$\\&<>%!@#`*;|(){}[]~^=,.?/-_: ", 24).trim().to_owned(),
        4 => {
            let body = wrapped(&base64(&random.bytes(200), *b"+/", true), 64);
            format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
        }
        5 => format!("postgres://app:{}@db:5432/shop", percent(&random.text("abcXYZ019$&@/%", 18), str::to_uppercase)),
        6 => format!("P@$$w0rd {}", random.text("aeioubcdfg'\"\\$", 8)),
        7 => format!("{{\"user\": \"app\",\n \"key\": \"{}\"}}", random.text("ABCDEF0123456789", 24)),
        8 => random.text("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 10),
        _ => format!("{}-ключ-{}", random.text("абвгдежзиклмн", 8), random.text("пароль0123", 6)),
    }
}

pub fn base64(bytes: &[u8], last: [u8; 2], padded: bool) -> String {
    let mut alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".to_vec();
    alphabet.extend(last);
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            if place <= group.len() {
                out.push(char::from(alphabet[(bits >> (18 - 6 * place)) as usize & 63]));
            } else if padded {
                out.push('=');
            }
        }
    }
    out
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |out, byte| out + format!("{byte:02x}").as_str())
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn percent(text: &str, case: fn(&str) -> String) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&case(&format!("%{byte:02X}")));
        }
    }
    out
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn units(text: &str, wanted: fn(char) -> bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if wanted(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| write!(out, "\\u{unit:04x}").unwrap());
        } else {
            out.push(c);
        }
    }
    out
}

fn xml(text: &str, quote: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', quote)
}

fn before(text: &str, special: &str) -> String {
    text.chars()
        .fold(String::new(), |out, c| out + if special.contains(c) { "\\" } else { "" } + String::from(c).as_str())
}

fn printf_q(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return format!("$'{}'", json(text).replace("\\\"", "\"").replace('\'', "\\'"));
    }
    text.chars().fold(String::new(), |out, c| {
        let plain = c.is_alphanumeric() || "_./:=@%+-,".contains(c);
        out + if plain { "" } else { "\\" } + String::from(c).as_str()
    })
}

fn wrapped(text: &str, width: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(width).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
}
