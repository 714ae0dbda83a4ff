use serde::{Deserialize, Serialize};

/// What is done about times that a change of the clocks skips or repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DstPolicy {
    /// As Debian's cron: `once`, and `wall` for expressions with `*` in minute or hour.
    #[default]
    Debian,
    /// A skipped time fires at the end of the gap, a repeated one the first time.
    Once,
    /// As the wall clock shows them: a skipped time never, a repeated one twice.
    Wall,
    /// A skipped time never, a repeated one the first time.
    Skip,
}
