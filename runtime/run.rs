//! One execution: the door every call passes, steps, undo, cancellation and the run's end.

mod admission;
mod approval;
mod arguments;
mod budget;
mod computing;
mod door;
mod doorway;
mod execution;
mod finish;
mod followed;
mod frame;
mod halt;
mod hosts;
mod leases;
mod planner;
mod recovery;
mod replay;
mod secrets;
mod services;
mod signals;

pub use door::{Door, Invocation};
pub use doorway::Doorway;
pub use execution::{Execution, Listener, Resumes, Start};
pub use finish::{Ending, Finished};

use halt::Halt;
pub use halt::Halt as Halted;
