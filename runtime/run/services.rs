//! What the run does on behalf of its calls.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Execution, frame, leases};
use crate::journal::Event;
use crate::primitive::{Block, Cancel, Failure, Lease, LeaseRequest, LogStream, Progress, Release, Services};

impl Services for Execution {
    fn log(&self, path: &str, stream: LogStream, line: &str) {
        // A line that cannot be stored breaks the run; the next call says so.
        let _ = self.emit(Event::Log { path: path.to_owned(), stream, line: line.to_owned(), at: Timestamp::now() });
    }

    fn progress(&self, path: &str, progress: Progress) {
        let _ = self.emit(Event::Progress { path: path.to_owned(), progress });
    }

    fn in_branch(&self, path: &str, branch: usize, cancel: &Cancel, work: &mut dyn FnMut()) {
        let step = frame::current().map(|here| here.step.clone()).unwrap_or_default();
        frame::inside(frame::Frame::new(format!("{path}.{branch}"), step, cancel.clone()), work);
    }

    fn undo(&self, name: &str, block: Arc<dyn Block>) {
        if let Ok(mut undo) = self.undo.lock() {
            undo.push((name.to_owned(), block));
        }
    }

    fn always(&self, block: Arc<dyn Block>) {
        if let Ok(mut always) = self.always.lock() {
            always.push(block);
        }
    }

    fn params(&self) -> &Value {
        &self.parameters
    }

    fn confirm(&self, question: &str) -> Result<bool, Failure> {
        let cancel = frame::current().map_or_else(|| self.cancel.clone(), |here| here.cancel.clone());
        self.prompt.confirm(question, &|| cancel.reason().is_some())
    }

    fn acquire(&self, request: &LeaseRequest, cancel: &Cancel, waiting: &dyn Fn(&Lease)) -> Result<Lease, Failure> {
        leases::acquire(self, request, cancel, waiting)
    }

    fn release_lease(&self, lease: &Lease) -> Result<(), Failure> {
        leases::release(self, lease)
    }

    fn record_release(&self, project: &str, content: &Value) -> Result<Release, Failure> {
        self.journal.record_release(self.facts.id, project, &self.facts.environment, content)
    }

    fn releases(&self, project: &str) -> Result<Vec<Release>, Failure> {
        self.journal.releases(project, &self.facts.environment)
    }

    fn mask(&self, secret: &str) {
        self.redactor.learn(secret);
    }
}
