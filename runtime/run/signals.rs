//! Ctrl-C, SIGTERM and SIGHUP: the first stops the run in good order, the second ends the process at once.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::Execution;
use crate::primitive::{CancelReason, LogStream, Services};

/// The exit code of a cancelled run, as shells have it for Ctrl-C.
const CANCELLED: i32 = 130;

/// Listens until the run ends.
pub(super) fn watch(run: &Arc<Execution>) {
    let run = run.clone();
    run.clone().drivers.spawn(async move {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let Ok(mut signals) = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>() else { return };
        let mut before = false;
        loop {
            let received = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
            futures_util::future::select_all(received).await;
            if before {
                run.drivers.processes().kill_all();
                std::process::exit(CANCELLED);
            }
            before = true;
            run.cancel.cancel(CancelReason::Person);
            run.log("", LogStream::Warn, "stopping after the current call; press Ctrl-C again to end at once");
        }
    });
}

/// Stops the run when its time is over.
pub(super) fn watch_deadline(run: &Arc<Execution>) {
    let Some(deadline) = run.deadline else { return };
    let cancel = run.cancel.clone();
    run.drivers.spawn(async move {
        tokio::time::sleep_until(deadline.into()).await;
        cancel.cancel(CancelReason::Deadline);
    });
}
