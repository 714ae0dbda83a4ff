//! Values that readers of environment files stumble over.

/// A sequence that is the same for the same seed (`SplitMix64`).
pub struct Random(u64);

impl Random {
    /// Begins a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// Up to nine pieces.
    pub fn value(&mut self) -> String {
        (0..self.below(10)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

/// What has a meaning for some reader, and what looks like it.
const PIECES: &[&str] = &[
    "a", "b", "Z", "0", "9", " ", "  ", "\t", "\n", "\n\n", "\r", "\r\n", "'", "''", "\"", "\\", "\\\\", "$", "$$",
    "${A}", "$HOME", "${", "}", "#", " #", "=", ":", ";", "!", "`", "`id`", "$(id)", "~", "*", "?", "[", "]", "(", ")",
    "<", ">", "|", "&", "%", "^", ",", ".", "-", "export ", "A=1", "\\n", "\\$", "\\'", "\\\"", "\\0101", "\\x41", "é",
    "😀", "\u{a0}", "\u{85}", "\u{2028}", "\u{feff}", "\u{b}", "\u{c}", "\u{1b}", "\u{7f}", "\u{1}", "\u{fffe}",
    "\u{fdd0}", "\u{200b}", "\u{3000}",
];

/// How many values: 20,000, or what the environment says.
pub fn count() -> usize {
    std::env::var("RUNBOOK_ENV_VALUES").map_or(20_000, |count| count.parse().expect("a number"))
}

/// The named values that every reader gets: the same in every run but for the seed that the environment gives.
pub fn values() -> Vec<(String, String)> {
    let seed = std::env::var("RUNBOOK_SEED").map_or(7, |seed| seed.parse().expect("a number"));
    let mut random = Random::new(seed);
    (0..count()).map(|number| (format!("V{number}"), random.value())).collect()
}
