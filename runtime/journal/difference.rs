//! What is different between two runs: the scripts, what they were given, what they did and what came out.

mod script;
mod steps;
mod values;

use serde::Serialize;

pub use script::{Hunk, ScriptChange, ScriptLine};
pub use steps::{StepChange, StepSide};
pub use values::{ValueChange, changes as value_changes};

use super::{Journal, RunRecord};
use crate::failure::Failure;

/// What is different between run `a` and run `b`. Everything empty means that they did the same.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The first run.
    pub a: RunRecord,
    /// The second run.
    pub b: RunRecord,
    /// Facts about the runs themselves: runbook, environment, revision, state, failure.
    pub run: Vec<ValueChange>,
    /// Scripts and modules that only one of them has or whose text differs.
    pub scripts: Vec<ScriptChange>,
    /// Parameters.
    pub parameters: Vec<ValueChange>,
    /// The environment's values.
    pub environment: Vec<ValueChange>,
    /// Steps that only one of them has, that ended otherwise, or that took a noticeably different time.
    pub steps: Vec<StepChange>,
    /// What the scripts returned.
    pub result: Vec<ValueChange>,
}

impl Difference {
    /// Is there none? Times do not count: they never are the same.
    pub fn is_empty(&self) -> bool {
        let Self { run, scripts, parameters, environment, steps, result, .. } = self;
        [run, parameters, environment, result].iter().all(|changes| changes.is_empty())
            && scripts.is_empty()
            && steps.iter().all(StepChange::is_only_time)
    }
}

impl Journal {
    /// Compares two runs; with `calls`, every call rather than the steps and the calls outside of steps.
    pub fn difference(&self, a: i64, b: i64, calls: bool) -> Result<Difference, Failure> {
        let (run_a, run_b) = (self.run(a)?, self.run(b)?);
        Ok(Difference {
            run: values::changes(&facts(&run_a), &facts(&run_b)),
            scripts: script::changes(&self.sources(a)?, &self.sources(b)?),
            parameters: values::changes(&run_a.parameters, &run_b.parameters),
            environment: values::changes(&run_a.environment_values, &run_b.environment_values),
            steps: steps::changes(&self.calls(a)?, &self.calls(b)?, calls),
            result: values::changes(&run_a.result, &run_b.result),
            a: run_a,
            b: run_b,
        })
    }
}

fn facts(run: &RunRecord) -> serde_json::Value {
    serde_json::json!({
        "runbook": run.runbook,
        "environment": run.environment,
        "revision": run.revision,
        "state": run.state,
        "failure": run.failure.as_ref().map(|failure| &failure.message),
    })
}
