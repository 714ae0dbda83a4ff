//! What is wrong with backups, as the run log knows them: no repository is opened for it.

use jiff::Timestamp;

use super::{Happening, Message};
use crate::failure::Failure;
use crate::journal::{Catalogued, Drill, Journal};
use crate::project::{BackupRepository, NotifyEvent, StaleKind, drill_findings, freshness};

/// Each finding, once a day.
pub(super) fn stale<'a>(
    journal: &Journal,
    project: &str,
    repositories: impl Iterator<Item = (&'a String, &'a BackupRepository)>,
) -> Result<Vec<Happening>, Failure> {
    let now = Timestamp::now();
    let day = now.strftime("%Y-%m-%d");
    let mut happenings = Vec::new();
    for (name, repository) in repositories {
        let made: Vec<_> = journal.catalogued(name)?.iter().map(Catalogued::made).collect();
        let drills: Vec<_> = journal.drilled(name)?.iter().map(Drill::drilled).collect();
        for finding in freshness(repository, &made, now).into_iter().chain(drill_findings(repository, &drills)) {
            let event = match finding.kind {
                // Its run told of it when it failed.
                StaleKind::DrillFailed => continue,
                StaleKind::SlowDrill => NotifyEvent::DrillSlow,
                StaleKind::TooOld | StaleKind::Missing => NotifyEvent::BackupTooOld,
                StaleKind::Shrunk | StaleKind::Gone | StaleKind::Future | StaleKind::Partial => {
                    NotifyEvent::BackupDoubtful
                }
                StaleKind::NotDrilled => NotifyEvent::DrillOverdue,
            };
            let summary = format!("backup {}: {}", finding.job, finding.text);
            let command = format!("runbook backup list --repository {name}");
            let mut message = Message::new(event, project, summary, command);
            message.place = Some(format!("repository `{name}`"));
            let subject = format!("{} {name}/{} {:?} {day}", event.word(), finding.job, finding.kind);
            happenings.push(Happening { subject, message, rule: None });
        }
    }
    Ok(happenings)
}
