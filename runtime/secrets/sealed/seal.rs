//! One value, sealed with age (age-encryption.org/v1) so that it says itself where it belongs.

use std::io::{Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::recipient::Recipient;
use crate::failure::{Failure, FailureKind};
use crate::secrets::SecretText;

/// A value's length is told only up to a multiple of this many bytes.
const PADDED_TO: usize = 128;

/// Where a value belongs: it stands inside the seal, so that nobody can put the value elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Belongs {
    /// The first change of the project's list of people, which no other project has.
    pub(super) project: String,
    pub(super) environment: String,
    pub(super) name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    belongs: Belongs,
    value: String,
}

/// Seals a value; the armored text is what `age --decrypt` reads.
pub(super) fn seal(belongs: &Belongs, value: &SecretText, to: &[&Recipient]) -> Result<String, Failure> {
    let content = Content { belongs: belongs.clone(), value: value.expose().to_owned() };
    let failed = |why: String| Failure::new(FailureKind::System, format!("cannot seal `{}`: {why}", belongs.name));
    let mut plain = serde_json::to_vec(&content).map_err(|error| failed(error.to_string()))?;
    plain.resize(plain.len().next_multiple_of(PADDED_TO), b' ');
    let keys = to.iter().map(|recipient| recipient.key());
    let encryptor = age::Encryptor::with_recipients(keys).map_err(|error| failed(error.to_string()))?;
    let sealed = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).and_then(|armor| {
        let mut out = encryptor.wrap_output(armor)?;
        out.write_all(&plain)?;
        out.finish()?.finish()
    });
    let sealed = sealed.map_err(|error| failed(error.to_string()))?;
    String::from_utf8(sealed).map_err(|error| failed(error.to_string()))
}

/// Opens a sealed value, and refuses one that belongs elsewhere.
pub(super) fn open(belongs: &Belongs, sealed: &str, identity: &Identity) -> Result<SecretText, Failure> {
    let name = &belongs.name;
    let plain = decrypted(sealed, identity).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => Failure::new(
            FailureKind::Unauthorized,
            format!("`{name}` of `{}` is not sealed to the identity `{}`", belongs.environment, identity.origin()),
        )
        .hint("somebody who can open it lets you in with `runbook secret recipient add`"),
        _ => Failure::new(FailureKind::Invalid, format!("the sealed value of `{name}` is damaged")),
    })?;
    let content: Content = serde_json::from_slice(&plain)
        .map_err(|_| Failure::new(FailureKind::Invalid, format!("the sealed value of `{name}` is not one of ours")))?;
    if content.belongs == *belongs {
        return Ok(SecretText::new(content.value));
    }
    let (found, wanted) = (&content.belongs, belongs);
    let what = if found.project != wanted.project {
        "another project".to_owned()
    } else if found.environment == wanted.environment {
        format!("`{}`", found.name)
    } else {
        format!("`{}` of `{}`", found.name, found.environment)
    };
    Err(Failure::new(
        FailureKind::Refused,
        format!("what stands for `{name}` of `{}` is the value of {what}: somebody moved it", wanted.environment),
    ))
}

fn decrypted(sealed: &str, identity: &Identity) -> Result<Vec<u8>, age::DecryptError> {
    let decryptor = age::Decryptor::new(ArmoredReader::new(sealed.as_bytes()))?;
    let mut plain = Vec::new();
    decryptor.decrypt(std::iter::once(identity.key()))?.read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belongs(project: &str, environment: &str, name: &str) -> Belongs {
        Belongs { project: project.into(), environment: environment.into(), name: name.into() }
    }

    fn sealed(to: &[&Identity], value: &str) -> String {
        let keys: Vec<_> = to.iter().map(|identity| &identity.card().recipient).collect();
        seal(&belongs("shop", "prod", "A"), &SecretText::new(value), &keys).expect("sealed")
    }

    #[test]
    fn each_recipient_opens_a_value_and_nobody_else() {
        let (alice, bob, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
        let value = "größer $x\n'\"\0end";
        let text = sealed(&[&alice, &bob], value);
        for identity in [&alice, &bob] {
            assert_eq!(open(&belongs("shop", "prod", "A"), &text, identity).expect("opened").expose(), value);
        }
        let failure = open(&belongs("shop", "prod", "A"), &text, &eve).expect_err("refused");
        assert_eq!(failure.message, "`A` of `prod` is not sealed to the identity `a new identity`");
    }

    #[test]
    fn a_value_cannot_stand_for_another_one() {
        let alice = Identity::generate();
        let text = sealed(&[&alice], "value");
        let message = |wanted| open(&wanted, &text, &alice).expect_err("refused").message;
        assert_eq!(
            message(belongs("shop", "prod", "B")),
            "what stands for `B` of `prod` is the value of `A`: somebody moved it"
        );
        assert_eq!(
            message(belongs("shop", "demo", "A")),
            "what stands for `A` of `demo` is the value of `A` of `prod`: somebody moved it"
        );
        assert_eq!(
            message(belongs("other", "prod", "A")),
            "what stands for `A` of `prod` is the value of another project: somebody moved it"
        );
    }

    #[test]
    fn no_letter_of_a_sealed_value_can_be_changed() {
        let alice = Identity::generate();
        let text = sealed(&[&alice], "value");
        let begin = text.find('\n').expect("a line") + 1;
        let end = text.rfind("-----END").expect("an end");
        let mut opened = Vec::new();
        for at in (begin..end).filter(|at| text.as_bytes()[*at].is_ascii_alphanumeric()) {
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut changed = text.clone();
            changed.replace_range(at..=at, other);
            if open(&belongs("shop", "prod", "A"), &changed, &alice).is_ok() {
                opened.push(at);
            }
        }
        assert!(opened.is_empty(), "still opened with another letter at {opened:?}\n{text}");
    }

    #[test]
    fn values_of_about_the_same_length_cannot_be_told_apart_by_it() {
        let alice = Identity::generate();
        let plain = |value| decrypted(&sealed(&[&alice], value), &alice).expect("opened").len();
        assert_eq!(plain("short"), plain("somewhat longer"));
    }
}
