use std::process::ExitCode;

use clap::Args;

use super::generate::publish;
use super::{CommandResult, Where, no_such};
use crate::failure::{Failure, FailureKind};
use crate::report;
use crate::secrets::Kind;
use crate::secrets::sealed::{Draft, Opened};

/// Generate values anew, each of the kind it was. What uses them has to be told: deploy afterwards.
#[derive(Args)]
pub struct Rotate {
    /// The secrets' names
    #[arg(required_unless_present = "known_by")]
    names: Vec<String>,
    /// All that this former recipient still knows
    #[arg(long, value_name = "PERSON", conflicts_with = "names")]
    known_by: Option<String>,
    #[command(flatten)]
    place: Where,
}

impl Rotate {
    /// Replaces the values.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let mut done = Vec::new();
        let mut public = Vec::new();
        let mut by_hand = Vec::new();
        let change = ground.store.change(ground.environment(), &ground.identity()?, |draft| {
            for name in self.names(draft.opened())? {
                match kind(draft, &name)? {
                    Some(kind) => {
                        let generated = kind.make()?;
                        draft.set(&name, &generated.text, Some(&kind.to_string()))?;
                        public.extend(generated.public);
                        done.push(name);
                    }
                    None => by_hand.push(name),
                }
            }
            // What a person named is done as a whole or not at all.
            if self.known_by.is_none() && !by_hand.is_empty() { Err(not_generated(&by_hand)) } else { Ok(()) }
        })?;
        ground.told(&format!("rotated {}", done.join(", ")), change);
        for public in &public {
            publish(Some(public))?;
        }
        if by_hand.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        report::note(&format!("still known, because they were not generated here: {}", by_hand.join(", ")));
        report::note("get new ones from where they come from, and `runbook secret set` them");
        Ok(ExitCode::from(1))
    }

    fn names(&self, opened: &Opened) -> Result<Vec<String>, Failure> {
        let Some(person) = &self.known_by else { return Ok(self.names.clone()) };
        let known = opened.known_by(person);
        if known.is_empty() && !opened.people().departed().iter().any(|departed| departed.person.name == *person) {
            return Err(Failure::new(
                FailureKind::NotFound,
                format!("nobody called `{person}` was taken off the list"),
            ));
        }
        Ok(known)
    }
}

/// How the value was made, if it was generated.
fn kind(draft: &Draft<'_>, name: &str) -> Result<Option<Kind>, Failure> {
    let value = draft.opened().value(name).ok_or_else(|| no_such(name, draft.opened()))?;
    let parsed = value.generated.as_deref().map(str::parse).transpose();
    parsed
        .map_err(|why: String| Failure::new(FailureKind::Invalid, format!("how `{name}` was made is not known: {why}")))
}

fn not_generated(names: &[String]) -> Failure {
    let failure = Failure::new(
        FailureKind::Refused,
        format!("not generated here, so nothing was changed: `{}`", names.join("`, `")),
    );
    failure.hint("get a new value from where it comes from, and `runbook secret set` it")
}
