//! Files and folders of this machine: read with a limit, written whole or not at all, and never outside by accident.

mod change;
mod place;
mod read;
mod replace;
mod space;

pub use change::LineChange;
pub use place::Place;
pub use read::{checksum, exists, open, text};
pub use replace::{Replacement, Written, write};
pub use space::{Space, space};
