use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{BackupRepository, Stale, StaleKind};

/// A restore drill, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Drilled {
    /// Of which job.
    pub job: String,
    /// When.
    pub at: Timestamp,
    /// Did it go well?
    pub ok: bool,
    /// If not, why.
    pub failure: String,
    /// How long it took until everything was restored, in milliseconds.
    pub recovery_time: u64,
}

/// What is wrong with the newest drill of each job: a pure function of what is known.
pub fn drill_findings(repository: &BackupRepository, all: &[Drilled]) -> Vec<Stale> {
    let mut newest: BTreeMap<&str, &Drilled> = BTreeMap::new();
    for drill in all {
        let known = newest.entry(&drill.job).or_insert(drill);
        if drill.at > known.at {
            *known = drill;
        }
    }
    let finding = |(job, drill): (&str, &Drilled)| {
        let stale = |kind, text| Some(Stale { job: job.to_owned(), kind, text });
        if !drill.ok {
            return stale(StaleKind::DrillFailed, format!("the last restore drill of {job} failed: {}", drill.failure));
        }
        let limit = repository.recovery_time_of(job)?;
        let took = std::time::Duration::from_millis(drill.recovery_time);
        let text =
            || format!("the last restore drill of {job} took {}s, and {limit} are allowed", took.as_secs().max(1));
        if took > limit.0 { stale(StaleKind::SlowDrill, text()) } else { None }
    };
    newest.into_iter().filter_map(finding).collect()
}
