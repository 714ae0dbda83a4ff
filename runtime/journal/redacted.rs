use std::ops::Deref;

use super::Event;
use crate::secrets::Redactor;

/// An event as it may be stored and shown. Only a redactor makes one, and the journal, the console and every other listener
/// take nothing else: what was not redacted gets nowhere.
///
/// ```
/// use runbook::journal::{Event, Journal, Redacted};
/// use runbook::secrets::Redactor;
///
/// fn store(journal: &Journal, event: Event) {
///     let _ = journal.record(1, &Redacted::by(&Redactor::default(), event));
/// }
/// ```
///
/// An event as a call hands it over is no such thing, and nothing but a redactor makes it one:
///
/// ```compile_fail,E0308
/// use runbook::journal::{Event, Journal};
///
/// fn store(journal: &Journal, event: Event) {
///     let _ = journal.record(1, &event);
/// }
/// ```
///
/// ```compile_fail,E0423
/// use runbook::journal::{Event, Redacted};
///
/// fn shown(event: Event) -> Redacted {
///     Redacted(event)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Redacted(Event);

impl Redacted {
    /// Masks in all texts of the event whatever the redactor knows.
    pub fn by(redactor: &Redactor, mut event: Event) -> Self {
        if !redactor.is_idle() {
            let mut any = false;
            event.each_text(&mut |text| any |= redactor.redact(text));
            if let (Event::CallFinished { masked, .. }, true) = (&mut event, any) {
                *masked = true;
            }
        }
        Self(event)
    }
}

impl Deref for Redacted {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.0
    }
}
