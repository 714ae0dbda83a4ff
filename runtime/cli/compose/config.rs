use std::process::ExitCode;

use clap::Args;

use super::files::Files;
use crate::cli::{CommandResult, history};
use crate::compose::{Application, failure, load};
use crate::failure::{Failure, FailureKind};
use crate::report;

const EXAMPLES: &str = "\
Examples:
  runbook compose config
  runbook compose config -f compose.yaml -f compose.prod.yaml --env TAG=v1.4
  runbook compose config --json api
  runbook compose config --hash";

/// Print what compose files say: one file that means the same, whatever the variables.
///
/// Values of variables are printed too, passwords among them.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Config {
    #[command(flatten)]
    files: Files,
    /// Print JSON instead of YAML
    #[arg(long, conflicts_with = "hash")]
    json: bool,
    /// Print the configuration hash of each service, as in the label `com.docker.compose.config-hash`
    #[arg(long)]
    hash: bool,
    /// Only these services and what they depend on
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

impl Config {
    /// Loads and prints, or says everything that is wrong.
    pub fn run(self) -> CommandResult {
        let mut application = load(&self.files.request()?).map_err(|problems| failure(&problems))?;
        if !self.services.is_empty() {
            application = application.only(&self.services).map_err(|name| no_service(&application, &name))?;
        }
        let built = application.services.values().filter_map(|service| service.build.as_ref());
        let unmet = application.unmet().into_iter().chain(built.flat_map(|build| &build.unmet));
        for problem in application.warnings.iter().chain(unmet) {
            report::note(&format!("warning: {problem}"));
        }
        history::answer(|out| {
            if self.hash {
                return application.services.values().try_for_each(|service| {
                    let chosen = self.services.is_empty() || self.services.contains(&service.name);
                    if chosen { writeln!(out, "{} {}", service.name, service.config_hash()) } else { Ok(()) }
                });
            }
            if self.json {
                return report::document(out, &application.to_json());
            }
            out.write_all(application.to_yaml().as_bytes())
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn no_service(application: &Application, name: &str) -> Failure {
    let known: Vec<&str> = application.services.keys().chain(application.disabled.keys()).map(String::as_str).collect();
    Failure::new(FailureKind::NotFound, format!("there is no service `{name}`"))
        .hint(format!("the services are {}", known.join(", ")))
}
