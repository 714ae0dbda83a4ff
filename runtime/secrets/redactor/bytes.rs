//! What a byte is when a secret is looked for.
//!
//! Encoders insert quotes, backslashes, `$` and line ends, and take a space for a `+`. So these are left out of secrets and of
//! texts alike before the two are compared, and upper and lower case count as the same: what is left of a secret is the same
//! in a shell script, in JSON within JSON, in a wrapped column and in UTF-16.

/// A byte of a text at some depth of encoding, and the bytes of the outermost text that it stands for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unit {
    pub byte: u8,
    /// Where its first byte is in the outermost text.
    pub start: usize,
    /// Where the byte after its last is.
    pub end: usize,
}

/// What is compared of a byte: its lower case, or 0 when it is left out.
pub(super) static FOLDED: [u8; 256] = folded();

/// Is the byte left out?
pub(super) const fn is_left_out(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7f | b'"' | b'\'' | b'`' | b'\\' | b'$' | b'+')
}

const fn folded() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        if !is_left_out(byte) {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}
