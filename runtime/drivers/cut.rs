//! What a command in a container of another host prints, without the pieces of it that are known here already.
//!
//! The `runbook` of that host runs the command, cuts what it prints where the repository would, and tells of each piece by its hash. What
//! the repository has of them is taken from there, and only the others travel. Neither the password nor a key of the repository
//! does, and the host hears of no pieces but those that it sent before.

mod far;
mod frame;
mod near;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backup::Cutting;
use crate::failure::Failure;

pub use far::serve;
pub use near::{Came, Printed, print};

/// How both sides speak; another number for every change of it.
const PROTOCOL: u32 = 1;
/// The version of this program: the other side has to have the same one.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What comes before the first word of the other side. A login shell may say something before it.
const GREETING: &[u8] = b"\x1erunbook-cut ";

/// What the other side says first, in a line.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    protocol: u32,
    version: String,
    /// The identity of the engine it reaches; nothing where there is none.
    engine: String,
}

/// What is to be done there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The container.
    pub container: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// User, else the container's.
    pub user: Option<String>,
    /// `NAME=value`, on top of the container's.
    pub env: Vec<String>,
    /// After this long it is killed, whatever became of this side.
    pub limit: Duration,
}

/// The order, and where to cut.
#[derive(Debug, Serialize, Deserialize)]
struct Begin {
    order: Order,
    cutting: Cutting,
}

/// How it ended there.
#[derive(Debug, Serialize, Deserialize)]
struct End {
    /// The exit code, and why it was not started.
    ended: Result<(i64, Option<String>), Failure>,
    /// How much it printed.
    bytes: u64,
}
