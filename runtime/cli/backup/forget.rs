use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Where, moment};
use crate::cli::history;
use crate::drivers::backup::Access;
use crate::primitive::{Judged, judge};
use crate::report::{self, Style};

/// Forget the snapshots that no rule of `keep` keeps, and say why each one goes or stays.
#[derive(Args)]
pub struct Forget {
    #[command(flatten)]
    place: Where,
    /// Only those of this job
    #[arg(long)]
    job: Option<String>,
    /// Only say what would be forgotten
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Write one JSON list
    #[arg(long)]
    json: bool,
}

impl Forget {
    /// Decides about each job alone.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let opened = ground.open(if self.dry_run { Access::Shared } else { Access::Alone })?;
        let judgement =
            judge(Some(&opened.journal), &ground.project, &ground.name, opened.snapshots, self.job.as_deref())?;
        let gone = if self.dry_run {
            judgement.gone()
        } else {
            judgement.carry_out(&opened.repository, Some(&opened.journal), &ground.name)?
        };
        history::answer(|out| {
            if self.json {
                return report::document(out, &judgement.all);
            }
            let rows: Vec<_> = judgement.all.iter().map(row).collect();
            report::listing(out, ["ID", "TIME", "JOB", "KEPT BY"], &rows, Style::detect_stdout())
        })?;
        for doubt in &judgement.doubts {
            report::note(&format!("nothing would be forgotten: {doubt}"));
        }
        let how = if self.dry_run { "would be forgotten" } else { "forgotten" };
        report::note(&format!("{} of {} snapshots {how}", gone.len(), judgement.all.len()));
        Ok(ExitCode::SUCCESS)
    }
}

fn row(judged: &Judged) -> [String; 4] {
    let Judged { snapshot, verdict } = judged;
    let why = if verdict.is_kept() {
        verdict.kept_by.join(", ")
    } else {
        format!("- forgotten ({})", verdict.dropped_by.join("; "))
    };
    [snapshot.short().to_owned(), moment(snapshot), snapshot.group(), why]
}
