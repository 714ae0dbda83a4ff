use std::collections::HashMap;

use super::form::{Form, RUN};

/// How many bytes in a row make a text worth a closer look.
pub(super) const SEED: usize = 4;

/// Lines of a secret are secrets of their own from this length on.
const LINE: usize = 6;

/// Bits of the filter at least.
const FEWEST_BITS: u32 = 16;

/// Where a seed stands: in which form, and at which of its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub form: usize,
    pub at: usize,
}

/// Everything that is known of the secrets: their forms, and where each four bytes in a row occur in them.
#[derive(Clone, Debug)]
pub(super) struct Book {
    secrets: Vec<String>,
    forms: Vec<Form>,
    seeds: HashMap<u32, Vec<Place>>,
    /// A bit for each hash of a seed: nearly every four bytes of a harmless text are told apart from one here.
    filter: Vec<u64>,
    bits: u32,
    /// Each byte that a text may have in which a secret is.
    text: [bool; 256],
    /// So many bytes the shortest part of a secret has that is looked for; no more than [`Book::LONG`].
    least_ascii: usize,
    /// The same of parts that are not ASCII.
    least_beyond: Option<usize>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            secrets: Vec::new(),
            forms: Vec::new(),
            seeds: HashMap::new(),
            filter: vec![0; 1 << (FEWEST_BITS - 6)],
            bits: FEWEST_BITS,
            text: ascii_text(),
            least_ascii: Self::LONG,
            least_beyond: None,
        }
    }
}

/// White space, escape, and zero as in UTF-16; and all that can be seen.
fn ascii_text() -> [bool; 256] {
    let mut text = [false; 256];
    for byte in [0, b'\t', b'\n', b'\r', 0x1b].into_iter().chain(b' '..=b'~') {
        text[usize::from(byte)] = true;
    }
    text
}

impl Book {
    /// What has so many bytes in a row of a text is looked into, however long the secrets are.
    pub(super) const LONG: usize = 8;

    pub(super) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    pub(super) fn knows(&self, secret: &str) -> bool {
        self.secrets.iter().any(|known| known == secret)
    }

    /// Enters a secret, and those of its lines that are too short to be found as a part of it.
    pub(super) fn learn(&mut self, secret: &str) {
        if self.knows(secret) {
            return;
        }
        self.secrets.push(secret.to_owned());
        let lines = secret.lines().map(str::trim).filter(|line| line.len() != secret.len());
        let short = lines.filter(|line| line.len() >= LINE && line.chars().count() < RUN);
        for text in std::iter::once(secret).chain(short) {
            for form in Form::all(text) {
                self.enter(form);
            }
        }
    }

    /// Is this byte one of a text? Texts are ASCII, and whatever else the secrets are.
    pub(super) fn may_be_text(&self, byte: u8) -> bool {
        self.text[usize::from(byte)]
    }

    /// So many bytes of a text in a row may hold a part of a secret.
    pub(super) fn least(&self) -> usize {
        self.least_beyond.map_or(self.least_ascii, |beyond| beyond.min(self.least_ascii))
    }

    /// So many bytes of ASCII may.
    pub(super) fn least_ascii(&self) -> usize {
        self.least_ascii
    }

    /// So many bytes that are not all ASCII may, where there are such secrets.
    pub(super) fn least_beyond(&self) -> Option<usize> {
        self.least_beyond
    }

    pub(super) fn form(&self, form: usize) -> &Form {
        &self.forms[form]
    }

    /// May these four bytes be a seed? Wrong for a few that are none.
    pub(super) fn may_be_seed(&self, gram: u32) -> bool {
        let bit = self.bit(gram);
        self.filter[bit >> 6] & (1 << (bit & 63)) != 0
    }

    /// Where these four bytes stand.
    pub(super) fn places(&self, gram: u32) -> &[Place] {
        self.seeds.get(&gram).map_or(&[], Vec::as_slice)
    }

    fn enter(&mut self, form: Form) {
        let index = self.forms.len();
        for byte in &form.bytes {
            self.text[usize::from(*byte)] = true;
        }
        for (at, bytes) in form.kept.windows(SEED).enumerate() {
            let gram = bytes.iter().fold(0, |gram, kept| gram << 8 | u32::from(kept.folded));
            // A run of one byte begins at every place of such a run, and tells nothing.
            if at == 0 || bytes.iter().any(|kept| kept.folded != bytes[0].folded) {
                self.seeds.entry(gram).or_default().push(Place { form: index, at });
            }
        }
        if let Some(least) = form.least(true) {
            self.least_ascii = self.least_ascii.min(least).max(SEED);
        }
        if let Some(least) = form.least(false) {
            self.least_beyond = Some(self.least_beyond.unwrap_or(Self::LONG).min(least).max(SEED));
        }
        self.forms.push(form);
        self.refill();
    }

    /// Keeps all but one of 32 bits of the filter clear.
    fn refill(&mut self) {
        while self.seeds.len() * 32 > 1 << self.bits {
            self.bits += 1;
        }
        self.filter.clear();
        self.filter.resize(1 << (self.bits - 6), 0);
        for gram in self.seeds.keys() {
            let bit = self.bit(*gram);
            self.filter[bit >> 6] |= 1 << (bit & 63);
        }
    }

    fn bit(&self, gram: u32) -> usize {
        (gram.wrapping_mul(0x9E37_79B1) >> (u32::BITS - self.bits)) as usize
    }
}
