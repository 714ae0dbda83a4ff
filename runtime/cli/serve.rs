//! `runbook serve`.

mod surroundings;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::schedule::Registry;
use super::{CommandResult, notify, places};
use crate::failure::Failure;
use crate::journal::Journal;
use crate::notify::Teller;
use crate::project::{ProjectFile, state_folder};
use crate::report;
use crate::schedule::Zone;
use crate::secrets::redactor_as_far_as_known;
use crate::serve::api::Api;
use crate::serve::{Owner, Service};
use crate::units::Span;

/// Run what is scheduled, when it is due.
///
/// Every run is a process of its own, and survives this one. SIGTERM lets them end, SIGHUP reads the project anew.
#[derive(Args)]
pub struct Serve {
    /// Do what is to be done now, wait for it, and end: for use under another cron
    #[arg(long)]
    once: bool,
    /// How long runs may go on after the service was told to stop, before they are stopped too
    #[arg(long, value_name = "DURATION", value_parser = Span::parse, default_value = "10m")]
    drain: Span,
}

impl Serve {
    /// Serves.
    pub fn run(self) -> CommandResult {
        let root = places::root_here()?;
        // What is wrong with the project is said before anything begins.
        let ProjectFile { api, service: limits, .. } = Registry::load(&root)?.file;
        let program = std::env::current_exe().map_err(|error| Failure::system("find this program", &error))?;
        let journal = Journal::open(&state_folder(&root))?;
        // Before it listens: what listens already belongs to the service that there is.
        let owner = Owner::claim(journal.state_folder())?;
        let (read, known) = (root.clone(), root.clone());
        let teller = Teller::start(&root, true)?;
        let served = Arc::new(surroundings::Served::default());
        if let Some(section) = api.filter(|_| !self.once) {
            let api = Api {
                journal: Journal::open(&state_folder(&root))?,
                section,
                program: program.clone(),
                root: root.clone(),
                memory: limits.memory,
                runs: limits.runs,
                surroundings: Arc::new(surroundings::Here { root: root.clone(), served: served.clone() }),
            };
            let place = api.start()?;
            report::note(&format!("answering on {place}"));
        }
        let looker = teller.as_ref().map(Teller::looker);
        let service = Service {
            owner,
            journal,
            program,
            root,
            load: Box::new(move || {
                Zone::read_anew();
                let project = Registry::load(&read)?.for_service(&read);
                served.note(&project);
                Ok(project)
            }),
            say: Box::new(report::note),
            redact: Box::new(move |environment, text| {
                if let Ok(project) = places::project_in(known.clone(), environment) {
                    redactor_as_far_as_known(&project).redact(text);
                }
            }),
            stepped: Box::new(move || {
                if let Some(look) = &looker {
                    look();
                }
            }),
            drain: self.drain.0,
        };
        let ended = service.run(self.once);
        if let Some(teller) = teller {
            notify::warn(&teller.end(notify::PATIENCE));
        }
        ended?;
        Ok(ExitCode::SUCCESS)
    }
}
