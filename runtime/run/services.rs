//! What the run does on behalf of its calls.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::execution::Undo;
use super::frame::{self, Past};
use super::planner::Planner;
use super::{Execution, approval, leases};
use crate::journal::Event;
use crate::primitive::{
    Block, Cancel, Catalogue, Change, Failure, FailureKind, Guard, Lease, LeaseRequest, Left, LogStream, MakeSecret,
    Need, NeedKind, Progress, Reached, Release, Services,
};
use crate::secrets::Key;

impl Services for Execution {
    fn log(&self, path: &str, stream: LogStream, line: &str) {
        if self.resumed && self.replay.was_said(path, stream, &self.shown(line)) {
            return;
        }
        // A line that cannot be stored brings the run to a stand; the next call says so.
        let _ = self.emit(Event::Log { path: path.to_owned(), stream, line: line.to_owned(), at: Timestamp::now() });
    }

    fn progress(&self, path: &str, progress: Progress) {
        let _ = self.emit(Event::Progress { path: path.to_owned(), progress });
    }

    fn in_branch(&self, path: &str, branch: usize, cancel: &Cancel, work: &mut dyn FnMut()) {
        let around = frame::current();
        let step = around.as_ref().map(|here| here.step.clone()).unwrap_or_default();
        let past = around.map_or_else(|| self.replay.past(path), |here| here.past);
        frame::inside(frame::Frame::new(format!("{path}.{branch}"), step, cancel.clone(), past), work);
    }

    fn in_attempt(&self, path: &str, attempt: usize, cancel: &Cancel, work: &mut dyn FnMut()) {
        if let Some(followed) = &self.follows {
            followed.repeats(path);
        }
        self.in_branch(path, attempt, cancel, work);
    }

    fn reached(&self, path: &str, branch: usize) -> Reached {
        // A branch's thread stands nowhere before the branch begins.
        let past = frame::current().map_or_else(|| self.replay.past(path), |here| here.past);
        match past {
            Past::None | Past::Aside => Reached::No,
            _ if self.replay.reached(&format!("{path}.{branch}")) => Reached::Yes,
            Past::Begun => Reached::No,
            Past::Ended => Reached::Never,
        }
    }

    fn planned(&self) -> Vec<Change> {
        self.planner.as_ref().map(Planner::planned).unwrap_or_default()
    }

    fn mark(&self, path: &str, marker: &Value) -> Result<(), Failure> {
        self.emit(Event::CallMarked { path: path.to_owned(), marker: marker.clone(), at: Timestamp::now() })
    }

    fn undo(&self, name: &str, block: Arc<dyn Block>) {
        if let (Ok(mut undo), Some(here)) = (self.undo.lock(), frame::current()) {
            undo.push((here.place(), name.to_owned(), block));
        }
    }

    fn put_back(&self, path: &str, branch: usize) -> Result<usize, Failure> {
        let blocks = self.take_undo(path, branch);
        self.compensate_all(&blocks)?.into_iter().next().map_or(Ok(blocks.len()), |(_, problem)| Err(problem))
    }

    fn keep(&self, path: &str, branch: usize) {
        self.take_undo(path, branch);
    }

    fn always(&self, block: Arc<dyn Block>) {
        if let (Ok(mut always), Some(here)) = (self.always.lock(), frame::current()) {
            always.push((here.place(), block));
        }
    }

    fn params(&self) -> &Value {
        &self.parameters
    }

    fn confirm(&self, path: &str, question: &str, expires: Duration, name: Option<&str>) -> Result<bool, Failure> {
        approval::ask(self, path, question, expires, name)
    }

    fn acquire(&self, request: &LeaseRequest, cancel: &Cancel, waiting: &dyn Fn(&Lease)) -> Result<Lease, Failure> {
        match &self.planner {
            Some(_) => Ok(leases::imagined(self, request)),
            None => leases::acquire(self, request, cancel, waiting),
        }
    }

    fn release_lease(&self, lease: &Lease) -> Result<(), Failure> {
        leases::release(self, lease)
    }

    fn has_lock(&self, guard: &Guard) -> bool {
        leases::has(self, guard)
    }

    fn take_lock(&self, guard: &Guard) -> Result<(), Failure> {
        let here = frame::current();
        let here = here.ok_or_else(|| Failure::new(FailureKind::System, "a lock was asked for outside a run"))?;
        leases::hold(self, guard, &here)
    }

    fn record_release(&self, path: &str, project: &str, content: &Value) -> Result<Release, Failure> {
        let (run, environment) = (self.facts.id, &self.facts.environment);
        let release = self.journal.record_release(run, path, project, environment, &self.sealed(content)?)?;
        self.with_content(release)
    }

    fn releases(&self, project: &str) -> Result<Vec<Release>, Failure> {
        let all = self.journal.releases(project, &self.facts.environment)?;
        all.into_iter().map(|release| self.with_content(release)).collect()
    }

    fn catalogue(&self) -> Option<&dyn Catalogue> {
        // A plan writes nothing down.
        self.planner.is_none().then_some(&*self.journal)
    }

    fn granted(&self, need: &Need) -> Result<(), Failure> {
        self.policy.allows("this call", std::slice::from_ref(need), false)
    }

    fn names_host(&self, host: &str) -> Option<bool> {
        self.policy.names_host(host)
    }

    fn confines(&self, kind: NeedKind, path: &str) -> Vec<PathBuf> {
        self.policy.folders(kind, path)
    }

    fn mask(&self, secret: &str) {
        self.redactor.learn(secret);
    }

    fn secret(&self, name: &str) -> Result<Value, Failure> {
        Execution::secret(self, name)
    }

    fn note_secret(&self, path: &str, secret: &str, sink: &str) -> Result<(), Failure> {
        let (path, secret, sink) = (path.to_owned(), secret.to_owned(), sink.to_owned());
        // However often the call takes it there, that is one use.
        let told = |mut used: MutexGuard<'_, HashSet<_>>| !used.insert((path.clone(), secret.clone(), sink.clone()));
        if self.used.lock().is_ok_and(told) {
            return Ok(());
        }
        self.emit(Event::SecretUsed { path, secret, sink, at: Timestamp::now() })
    }

    fn make_secret(&self, how: &str, texts: &[&str], make: MakeSecret) -> Result<Value, Failure> {
        Execution::make_secret(self, how, texts, make)
    }

    fn secrets_in(&self, text: &str) -> Vec<String> {
        Execution::secrets_in(self, text)
    }

    fn leaves(&self, path: &Path, left: Left) {
        if let Some(planner) = &self.planner {
            planner.leaves(path, left);
        }
    }

    fn found(&self, path: &str, what: &str, checksum: &str) -> Result<(), Failure> {
        let Some(planner) = &self.planner else { return Ok(()) };
        let key = Key::of(&self.project.state_folder())?;
        planner.found(path, what, key.fingerprint(&["found", checksum]));
        Ok(())
    }

    fn left(&self, path: &Path) -> Option<(Left, bool)> {
        self.planner.as_ref()?.left(path)
    }

    fn is_doubtful(&self, path: &Path) -> bool {
        self.planner.as_ref().is_some_and(|planner| planner.is_doubtful(path))
    }
}

impl Execution {
    /// The undo blocks registered inside of a branch, last first; the run has them no more.
    fn take_undo(&self, path: &str, branch: usize) -> Vec<Undo> {
        let Ok(mut all) = self.undo.lock() else { return Vec::new() };
        let inside = format!("{path}.{branch}");
        let (mut taken, left) = std::mem::take(&mut *all).into_iter().partition(|(place, ..)| place.is_in(&inside));
        *all = left;
        let blocks: &mut Vec<Undo> = &mut taken;
        blocks.sort_by(|one, other| other.0.cmp(&one.0));
        taken
    }

    /// The release with what was sealed when it was recorded.
    fn with_content(&self, release: Release) -> Result<Release, Failure> {
        Ok(Release { content: self.opened(release.content)?, ..release })
    }
}
