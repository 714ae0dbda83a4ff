//! What the ledger decided, done: runs are begun, gone on with and stopped.

use std::ffi::OsString;

use super::service::Running;
use super::worker::Worker;
use crate::failure::Failure;
use crate::journal::{FireTicket, Offer};
use crate::schedule::ledger::{Action, Standing};

/// A fire that is to be run now, and the worker for it.
struct Beginning {
    schedule: String,
    ticket: FireTicket,
    worker: Worker,
}

impl Running {
    pub(super) fn act(&mut self, standing: &Standing, actions: Vec<Action>) -> Result<(), Failure> {
        let mut tickets = Vec::new();
        for action in actions {
            match action {
                Action::Begin { fire, ticket } => tickets.push(FireTicket { fire, ticket }),
                Action::Resume { fire, run } => {
                    (self.service.say)(&format!("going on with run {run}"));
                    let words = ["resume".to_owned(), run.to_string(), "--quiet".to_owned()];
                    let worker = self.start(words.map(OsString::from).to_vec(), false)?;
                    self.workers.insert(fire, worker);
                }
                Action::Stop { run } => self.stop(run),
            }
        }
        self.begin(standing, tickets)
    }

    /// Writes down that those begin which are ready, all at once, and tells each worker: nobody waits for another one's run.
    fn begin(&mut self, standing: &Standing, tickets: Vec<FireTicket>) -> Result<(), Failure> {
        let (mut offers, mut ready, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for ticket in tickets {
            if let Some((mut beginning, offer)) = self.beginning(standing, ticket)? {
                if let Some(offer) = offer {
                    offers.push((beginning.ticket.clone(), offer));
                    ready.push(beginning);
                } else {
                    // One that has ended already left words that say why.
                    let _ = beginning.worker.tell(&beginning.ticket.to_string());
                    others.push(beginning);
                }
            }
        }
        // Those that could not be begun like that begin by themselves, or say why they cannot.
        let begun = if offers.is_empty() {
            Vec::new()
        } else {
            self.service.journal.begin_offered(&offers).unwrap_or_default()
        };
        for (mut beginning, run) in ready.into_iter().zip(begun.into_iter().chain(std::iter::repeat(None))) {
            let is_told = beginning.worker.tell(&beginning.ticket.to_string()).is_ok();
            beginning.worker.run = run;
            if let Some(definition) =
                self.project.definitions.get(&beginning.schedule).filter(|_| !is_told && run.is_none())
            {
                beginning.worker = self.fresh(definition)?;
                let _ = beginning.worker.tell(&beginning.ticket.to_string());
            }
            others.push(beginning);
        }
        self.workers.extend(others.into_iter().map(|beginning| (beginning.ticket.fire, beginning.worker)));
        Ok(())
    }

    /// The worker for a fire, with what it has said of its run. None when its schedule is not there any more.
    fn beginning(
        &mut self,
        standing: &Standing,
        ticket: FireTicket,
    ) -> Result<Option<(Beginning, Option<Offer>)>, Failure> {
        let fire = standing.open.iter().find(|fire| fire.id == ticket.fire);
        let Some(definition) = fire.and_then(|fire| self.project.definitions.get(&fire.schedule)) else {
            return Ok(None);
        };
        (self.service.say)(&format!("starting {} for `{}`", definition.runbook(), definition.name()));
        let mut worker = match self.ahead.take(definition.name()) {
            Some(worker) => worker,
            None => self.fresh(definition)?,
        };
        let offer = worker.offer();
        Ok(Some((Beginning { schedule: definition.name().to_owned(), ticket, worker }, offer)))
    }
}
