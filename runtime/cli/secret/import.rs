use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Where};
use crate::compose::{self, dotenv};
use crate::failure::{Failure, FailureKind};
use crate::report;
use crate::secrets::{SecretText, check_name};

/// Take over the values of a `.env` file, all at once or none. It is read by the rules of Compose; what would be lost by them is refused.
#[derive(Args)]
pub struct Import {
    /// The file; `-` for standard input
    file: PathBuf,
    /// Only these names; all when left out
    names: Vec<String>,
    /// Replace values that are there already and are others
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    place: Where,
}

impl Import {
    /// Seals the values.
    pub fn run(self) -> CommandResult {
        let values = self.values()?;
        let ground = self.place.ground()?;
        let (mut set, mut same) = (Vec::new(), 0);
        let change = ground.store.change(ground.environment(), &ground.identity()?, |draft| {
            for (name, text) in &values {
                let old = draft.get(name)?;
                if old.as_ref().is_some_and(|old| old.equals(text)) {
                    same += 1;
                    continue;
                }
                if old.is_some() && !self.overwrite {
                    let message = format!("there is another `{name}` already, so nothing was changed");
                    return Err(Failure::new(FailureKind::Conflict, message).hint("`--overwrite` replaces it"));
                }
                draft.set(name, text, None)?;
                set.push(name.as_str());
            }
            Ok(())
        })?;
        ground.told(&format!("set {}", set.join(", ")), change);
        if same > 0 {
            report::note(&format!("{same} were the same already"));
        }
        if self.file.as_os_str() != "-" {
            report::note(&format!(
                "{} is still there, with the values in it: remove it, and see that git never had it",
                self.file.display()
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What the file sets, the last value of a name, without empty ones.
    fn values(&self) -> Result<Vec<(String, SecretText)>, Failure> {
        let shown = self.file.display().to_string();
        let text = if shown == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(&self.file)
        };
        let text = text.map_err(|error| Failure::system(format!("read `{shown}`"), &error))?;
        let found = dotenv::parse_closed(&text, &shown).map_err(|problem| compose::failure(&[problem]))?;
        let mut values: Vec<(String, SecretText)> = Vec::new();
        for assignment in found {
            values.retain(|(name, _)| *name != assignment.name);
            if self.names.is_empty() || self.names.contains(&assignment.name) {
                check_name(&assignment.name).map_err(|mut failure| {
                    failure.message = format!("{shown}:{}: {}", assignment.line, failure.message);
                    failure
                })?;
                values.push((assignment.name, SecretText::new(assignment.value)));
            }
        }
        if let Some(name) = self.names.iter().find(|name| !values.iter().any(|(found, _)| found == *name)) {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no `{name}` in {shown}")));
        }
        let empty: Vec<String> =
            values.iter().filter(|(_, text)| text.expose().is_empty()).map(|(name, _)| name.clone()).collect();
        if !empty.is_empty() {
            report::note(&format!("left out, because they are empty: {}", empty.join(", ")));
        }
        values.retain(|(_, text)| !text.expose().is_empty());
        Ok(values)
    }
}
