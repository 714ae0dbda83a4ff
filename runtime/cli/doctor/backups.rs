//! The backups, as the run log knows them.

use jiff::Timestamp;

use super::Ward;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::primitive::standing;
use crate::project::{ProjectFile, StaleKind, freshness};
use crate::report::Condition;

pub(super) fn look(ward: &Ward) -> Vec<Condition> {
    let Ok(file) = ProjectFile::load(&ward.root) else { return Vec::new() };
    if file.backups.is_empty() {
        return Vec::new();
    }
    examine(ward, &file).unwrap_or_else(|failure| vec![Condition::missing("backups", failure.message)])
}

fn examine(ward: &Ward, file: &ProjectFile) -> Result<Vec<Condition>, Failure> {
    let journal = Journal::open_existing(&ward.state)?;
    let mut all = Vec::new();
    for (name, repository) in &file.backups {
        let made = journal.as_ref().map_or_else(|| Ok(Vec::new()), |journal| journal.catalogued(name))?;
        let title = format!("backups in {name}");
        let findings = match &journal {
            Some(journal) => standing(journal, name, repository, Timestamp::now())?,
            None => freshness(repository, &[], Timestamp::now()),
        };
        for finding in &findings {
            let fix = match finding.kind {
                StaleKind::NotDrilled => format!("run the restore drill of {}", finding.job),
                StaleKind::DrillFailed | StaleKind::SlowDrill => {
                    format!("runbook backup drill {} --repository {name} --history", finding.job)
                }
                StaleKind::Gone => format!("runbook backup rebuild --repository {name}, if that was meant"),
                StaleKind::Future => "sudo timedatectl set-ntp true".to_owned(),
                _ => format!("runbook backup list --repository {name}, and run what makes backups of {}", finding.job),
            };
            all.push(Condition::warn(title.clone(), finding.text.clone()).fix(fix));
        }
        if findings.is_empty() {
            all.push(match made.iter().map(|made| made.at).max() {
                Some(at) => Condition::ok(
                    title,
                    format!("{} snapshots, the newest of {}", made.len(), at.strftime("%Y-%m-%d %H:%M UTC")),
                ),
                None => Condition::ok(title, "the run log knows of no snapshots"),
            });
        }
    }
    Ok(all)
}
