//! One execution: the door every call passes, steps, undo, cancellation and the run's end.

mod arguments;
mod door;
mod execution;
mod finish;
mod frame;
mod leases;
mod services;
mod signals;

pub use door::{Door, Invocation};
pub use execution::{Execution, Listener, Start};
pub use finish::{Ending, Finished};
