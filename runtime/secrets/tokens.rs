//! The secrets of a run: which token stands for which, and what it is made of.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};

use super::token::{self, Piece};
use super::{Key, SecretText};
use crate::failure::{Failure, FailureKind};

/// Around the name of a secret where it is shown and stored.
const OPEN: &str = "⟨secret ";
const CLOSE: char = '⟩';

/// Shorter texts are too likely to be part of something harmless to be taken for the secret wherever they stand.
const SHORTEST: usize = 8;

/// Gets the text of a secret, when it is needed.
type Make = Box<dyn Fn() -> Result<SecretText, Failure> + Send + Sync>;

/// Told of the text of every secret before anybody gets it: the redactor.
type Told = Arc<dyn Fn(&str) + Send + Sync>;

/// Where the secrets of an environment are, by name.
type Source = Arc<dyn Fn(&str) -> Result<SecretText, Failure> + Send + Sync>;

/// One secret of a run.
pub struct Secret {
    name: String,
    token: String,
    make: Make,
    told: Told,
    text: OnceLock<SecretText>,
}

impl Secret {
    /// Its name; of one that was made out of others, how: `base64(TOKEN)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands for it in the script.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its text, got at the first time somebody asks.
    pub fn text(&self) -> Result<&SecretText, Failure> {
        if let Some(text) = self.text.get() {
            return Ok(text);
        }
        let text = (self.make)()?;
        (self.told)(text.hidden());
        Ok(self.text.get_or_init(|| text))
    }

    /// What stands for it where people look.
    fn reference(&self) -> String {
        format!("{OPEN}{}{CLOSE}", self.name)
    }
}

/// A part of a text that will be a secret.
enum Part {
    Plain(String),
    Secret(Arc<Secret>),
}

/// The names of secrets in a text that was stored.
pub fn named_in(text: &str) -> Vec<&str> {
    text.split(OPEN).skip(1).filter_map(|part| part.split_once(CLOSE)).map(|(name, _)| name).collect()
}

/// What a script holds of secrets, and what stands for them where they are shown and stored.
///
/// The token of a secret is the same in every process of a run, and nobody who has not got the key can make one.
pub struct Tokens {
    key: Key,
    run: String,
    source: Source,
    told: Told,
    by_token: RwLock<HashMap<String, Arc<Secret>>>,
}

impl Tokens {
    /// None yet, for the run of that name; `source` gets the text of one, and `told` is told of it first.
    pub fn new(
        key: Key,
        run: &str,
        source: impl Fn(&str) -> Result<SecretText, Failure> + Send + Sync + 'static,
        told: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self { key, run: run.to_owned(), source: Arc::new(source), told: Arc::new(told), by_token: RwLock::default() }
    }

    /// The secret of that name. Nobody has asked for its text yet.
    pub fn named(&self, name: &str) -> Arc<Secret> {
        let (source, of) = (self.source.clone(), name.to_owned());
        self.keep(name, Box::new(move || source(&of)))
    }

    fn keep(&self, name: &str, make: Make) -> Arc<Secret> {
        let token = self.token_of(name);
        if let Some(known) = self.find(&token) {
            return known;
        }
        let told = self.told.clone();
        let secret =
            Arc::new(Secret { name: name.to_owned(), token: token.clone(), make, told, text: OnceLock::new() });
        match self.by_token.write() {
            Ok(mut table) => table.entry(token).or_insert(secret).clone(),
            Err(_) => secret,
        }
    }

    /// A secret that is made out of texts with tokens in them. `how` and the texts make its name.
    pub fn made(
        &self,
        how: &str,
        texts: &[&str],
        make: impl Fn(&[SecretText], [u8; 16]) -> Result<SecretText, Failure> + Send + Sync + 'static,
    ) -> Result<Arc<Secret>, Failure> {
        let parts = texts.iter().map(|text| self.parts(text)).collect::<Result<Vec<_>, _>>()?;
        let of = match parts.as_slice() {
            [only] if matches!(only.as_slice(), [Part::Secret(_)]) => match only.first() {
                Some(Part::Secret(secret)) => secret.name.clone(),
                _ => String::new(),
            },
            // Other words of the script may stand between them: none of its business where names are shown.
            several => {
                let parts = several.iter().flatten();
                let mut of = parts.fold(Vec::<&str>::new(), |mut names, part| match part {
                    Part::Secret(secret) if !names.contains(&secret.name()) => {
                        names.push(secret.name());
                        names
                    }
                    _ => names,
                });
                let fingerprint = self.key.fingerprint(texts);
                of.push(&fingerprint);
                of.join(", ")
            }
        };
        let (key, salted) = (self.key.clone(), how.to_owned());
        let make = move || {
            let texts = parts.iter().map(|parts| joined(parts)).collect::<Result<Vec<_>, _>>()?;
            let of: Vec<&str> = [salted.as_str()].into_iter().chain(texts.iter().map(SecretText::expose)).collect();
            // The same in every run, so that a file in which the result stands changes only when the secret does.
            let halves = ["one", "two"].map(|half| key.hash(&[&["salt", half], of.as_slice()].concat()));
            make(&texts, std::array::from_fn(|index| halves[index / 8][index % 8]))
        };
        Ok(self.keep(&format!("{how}({of})"), Box::new(make)))
    }

    /// The keyed hash of a secret: it tells whether it has changed, and nothing else.
    pub fn fingerprint(&self, secret: &Secret) -> Result<String, Failure> {
        Ok(self.key.fingerprint(&["value", &secret.name, secret.text()?.expose()]))
    }

    /// The secrets in a text. A piece of a token is an error: what it would become is not the secret.
    pub fn in_text(&self, text: &str) -> Result<Vec<Arc<Secret>>, Failure> {
        let parts = self.parts(text)?;
        Ok(parts
            .into_iter()
            .filter_map(|part| if let Part::Secret(secret) = part { Some(secret) } else { None })
            .collect())
    }

    /// The text with each secret in its place: for a sink, and nobody else.
    pub fn reveal(&self, text: &str) -> Result<String, Failure> {
        joined(&self.parts(text)?).map(|text| text.expose().to_owned())
    }

    /// Makes what only looks like the name of a secret look different, so that no text from outside is taken for one.
    pub fn disown_in(text: &mut String) {
        if text.contains(OPEN) {
            *text = text.replace(OPEN, &OPEN.replace('⟨', "‹"));
        }
    }

    /// Does a stored text name a secret?
    pub fn names_any(text: &str) -> bool {
        text.contains(OPEN)
    }

    /// Names secrets in a text that is going to be shown or stored, in place of their tokens.
    pub fn name_in(&self, text: &mut String) {
        Self::disown_in(text);
        if !token::is_in(text) {
            return;
        }
        let shown = token::pieces(text).into_iter().map(|piece| match piece {
            Piece::Plain(plain) => plain.to_owned(),
            Piece::Token(token) => self.find(token).map_or_else(broken, |secret| secret.reference()),
            Piece::Broken(_) => broken(),
        });
        *text = shown.collect();
    }

    /// Puts tokens in the place of names in a text that was stored.
    pub fn token_in(&self, text: &mut String) {
        let mut parts = text.split(OPEN);
        let mut found = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once(CLOSE).unwrap_or((part, ""));
            // One that is made out of others is known by now, or the script never gets as far.
            let secret = self.find(&self.token_of(name)).unwrap_or_else(|| self.named(name));
            found.push_str(&secret.token);
            found.push_str(rest);
        }
        *text = found;
    }

    /// Puts tokens in the place of secrets themselves, in what came from the world: so a script holds none.
    pub fn conceal(&self, text: &mut String) {
        let Ok(table) = self.by_token.read() else { return };
        let known = table.values().filter_map(|secret| Some((secret.text.get()?.expose(), &secret.token)));
        let mut known: Vec<_> = known.filter(|(value, _)| value.len() >= SHORTEST && text.contains(*value)).collect();
        known.sort_by(|(one, a), (other, b)| other.len().cmp(&one.len()).then(a.cmp(b)));
        for (value, token) in known {
            *text = text.replace(value, token);
        }
    }

    /// Gets the text of every secret that only its name is known of.
    pub fn load(&self) -> Result<(), Failure> {
        self.all().iter().try_for_each(|secret| secret.text().map(drop))
    }

    fn all(&self) -> Vec<Arc<Secret>> {
        self.by_token.read().map(|table| table.values().cloned().collect()).unwrap_or_default()
    }

    /// The names of those that stand as they are in this text.
    pub fn found_in(&self, text: &str) -> Vec<String> {
        let is_in = |secret: &Arc<Secret>| secret.text.get().is_some_and(|value| text.contains(value.expose()));
        let mut names: Vec<_> = self.all().into_iter().filter(is_in).map(|secret| secret.name.clone()).collect();
        names.sort();
        names
    }

    /// Is there no secret in this run?
    pub fn is_idle(&self) -> bool {
        self.by_token.read().is_ok_and(|table| table.is_empty())
    }

    fn find(&self, token: &str) -> Option<Arc<Secret>> {
        self.by_token.read().ok()?.get(token).cloned()
    }

    fn token_of(&self, name: &str) -> String {
        token::token(self.key.hash(&["token", &self.run, name]))
    }

    fn parts(&self, text: &str) -> Result<Vec<Part>, Failure> {
        let part = |piece| match piece {
            Piece::Plain(plain) => Ok(Part::Plain(plain.to_owned())),
            Piece::Token(token) => self.find(token).map(Part::Secret).ok_or_else(cut),
            Piece::Broken(_) => Err(cut()),
        };
        token::pieces(text).into_iter().map(part).collect()
    }
}

fn joined(parts: &[Part]) -> Result<SecretText, Failure> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Plain(plain) => text.push_str(plain),
            Part::Secret(secret) => text.push_str(secret.text()?.expose()),
        }
    }
    Ok(SecretText::new(text))
}

fn broken() -> String {
    "⟨a piece of a secret⟩".into()
}

fn cut() -> Failure {
    Failure::new(FailureKind::Secret, "a piece of a secret: it was cut, split or changed by the script")
        .hint("a secret can be joined to other text, and is whole or nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(folder: &tempfile::TempDir, run: &str) -> Tokens {
        let key = Key::of(folder.path()).expect("a key");
        Tokens::new(
            key,
            run,
            |name| {
                let text = match name {
                    "PASSWORD" => "correct-horse",
                    "LONG" => "correct-horse-battery",
                    _ => "abc",
                };
                Ok(SecretText::new(text))
            },
            |_| (),
        )
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn give(tokens: &Tokens, name: &str) -> String {
        let secret = tokens.named(name);
        secret.text().expect("it is there");
        secret.token().to_owned()
    }

    #[test]
    fn a_token_becomes_its_secret_only_when_it_is_revealed() {
        let folder = folder();
        let tokens = tokens(&folder, "run");
        let token = give(&tokens, "PASSWORD");
        let text = format!("postgres://app:{token}@db/app");
        assert_eq!(tokens.reveal(&text).expect("whole"), "postgres://app:correct-horse@db/app");
        assert_eq!(tokens.in_text(&text).expect("whole")[0].name(), "PASSWORD");
        let mut shown = text.clone();
        tokens.name_in(&mut shown);
        assert_eq!(shown, "postgres://app:⟨secret PASSWORD⟩@db/app");
        tokens.token_in(&mut shown);
        assert_eq!(shown, text);
    }

    #[test]
    fn a_piece_of_a_token_is_refused_and_shown_as_one() {
        let folder = folder();
        let tokens = tokens(&folder, "run");
        let token = give(&tokens, "PASSWORD");
        let piece: String = token.chars().take(5).collect();
        let failure = tokens.reveal(&piece).expect_err("a piece");
        assert_eq!(failure.message, "a piece of a secret: it was cut, split or changed by the script");
        let mut shown = format!("a{}", token.chars().last().expect("a letter"));
        tokens.name_in(&mut shown);
        assert_eq!(shown, "a⟨a piece of a secret⟩");
    }

    #[test]
    fn a_name_from_outside_is_never_taken_for_a_secret() {
        let folder = folder();
        let tokens = tokens(&folder, "run");
        give(&tokens, "PASSWORD");
        let mut stored = "say ⟨secret PASSWORD⟩".to_owned();
        tokens.name_in(&mut stored);
        assert_eq!(stored, "say ‹secret PASSWORD⟩");
        tokens.token_in(&mut stored);
        assert_eq!(stored, "say ‹secret PASSWORD⟩");
    }

    #[test]
    fn what_the_world_tells_is_concealed_longest_first() {
        let folder = folder();
        let tokens = tokens(&folder, "run");
        let (short, long) = (give(&tokens, "PASSWORD"), give(&tokens, "LONG"));
        give(&tokens, "TINY");
        let mut text = "correct-horse correct-horse-battery abc".to_owned();
        tokens.conceal(&mut text);
        assert_eq!(text, format!("{short} {long} abc"));
        assert_eq!(tokens.found_in("has correct-horse-battery"), ["LONG", "PASSWORD"]);
    }

    #[test]
    fn tokens_are_the_same_in_the_next_process_and_others_in_another_run() {
        let folder = folder();
        let token = give(&tokens(&folder, "run"), "PASSWORD");
        assert_eq!(tokens(&folder, "run").named("PASSWORD").token(), token);
        assert_ne!(tokens(&folder, "other").named("PASSWORD").token(), token);
    }

    #[test]
    fn a_secret_is_made_out_of_others() {
        let folder = folder();
        let tokens = tokens(&folder, "run");
        let token = give(&tokens, "PASSWORD");
        let upper = |texts: &[SecretText], _| Ok(SecretText::new(texts[0].expose().to_uppercase()));
        let made = tokens.made("upper", &[&token], upper).expect("whole");
        assert_eq!((made.name(), made.text().expect("made").expose()), ("upper(PASSWORD)", "CORRECT-HORSE"));
        let joined = tokens.made("upper", &[&format!("a:{token}")], upper).expect("whole");
        assert_eq!(joined.text().expect("made").expose(), "A:CORRECT-HORSE");
        assert!(!joined.name().contains("a:"));
    }
}
