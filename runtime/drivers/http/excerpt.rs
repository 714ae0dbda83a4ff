use super::Answer;
use super::answer::chain;
use crate::units::ByteSize;

/// How much of a body a person is shown.
const SHOWN: usize = 2 << 10;

/// The headers that explain an answer; the others (cookies above all) are left out.
const TELLING: [&str; 9] = [
    "content-type",
    "content-length",
    "location",
    "server",
    "via",
    "retry-after",
    "www-authenticate",
    "x-request-id",
    "date",
];

impl Answer {
    /// What a person needs to see of it: redirects, the status line, telling headers, the start of the body.
    pub fn excerpt(&self) -> String {
        let mut text = String::new();
        if !self.hops.is_empty() {
            text.push_str(&format!("{}\n\n", chain(&self.hops)));
        }
        text.push_str(&format!("{} {}\n", self.version, self.status_line()));
        for (name, value) in self.headers.iter().filter(|(name, _)| TELLING.contains(&name.as_str())) {
            text.push_str(&format!("{name}: {value}\n"));
        }
        let body = self.shown_body();
        if !body.is_empty() {
            text.push_str(&format!("\n{body}"));
        }
        printable(text.trim_end())
    }

    fn shown_body(&self) -> String {
        if let Some(json) = self.json().filter(|json| json.is_object() || json.is_array()) {
            let pretty = serde_json::to_string_pretty(&json).unwrap_or_default();
            return cut(&pretty, pretty.len());
        }
        let size = self.body.len();
        if self.body.iter().take(SHOWN).any(|byte| *byte == 0) {
            #[allow(clippy::cast_possible_truncation)]
            return format!("({} of binary data)", ByteSize(size as u64));
        }
        let text = cut(&String::from_utf8_lossy(&self.body[..size.min(SHOWN + 4)]), size);
        if self.truncated { format!("{text}\n(the body goes on: reading stopped at `max_body`)") } else { text }
    }
}

/// The first 2 KiB, saying what was left out of `size` bytes.
fn cut(text: &str, size: usize) -> String {
    if size <= SHOWN {
        return text.to_owned();
    }
    let mut end = SHOWN.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}\n… ({} bytes in all)", &text[..end], size)
}

/// Without control characters: what a server sends must not steer the terminal it is shown on.
fn printable(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c })
        .collect()
}
