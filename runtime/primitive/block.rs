use serde_json::Value;

use super::Failure;

/// The stack of a thread in which a script runs, of which a system gives what is used: room for every level of calls, and for
/// the deepest value that a script can put together before it has computed for too long.
pub const STACK: usize = 64 << 20;

/// A closure of the script, as a primitive sees it.
///
/// Calls inside it get paths below the call that runs it. A failure that comes out of a block carries the script's own
/// error and must be returned as it is (or after being handled): it may be a `return` or `break` travelling through.
pub trait Block: Send + Sync {
    /// Runs the closure on the current thread.
    fn call(&self, arguments: Vec<Value>) -> Result<Value, Failure>;

    /// How many parameters the closure declares (what it captured not counted).
    fn parameters(&self) -> usize;

    /// The same closure with private copies of everything it captured, safe to run on another thread.
    fn detached(&self) -> std::sync::Arc<dyn Block>;
}
