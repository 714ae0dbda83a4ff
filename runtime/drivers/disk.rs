//! Files and folders of this machine: read with a limit, written whole or not at all, and never outside by accident.

mod change;
mod held;
mod place;
mod read;
mod replace;
mod space;
mod tree;

pub use change::LineChange;
pub use held::{Held, NewFolder};
pub use place::Place;
pub use read::{Checksum, checksum, checksum_of, exists, open, short_name, text};
pub use replace::{Replacement, Written, usual_mode, write};
pub use space::{Space, space};
pub use tree::Tree;
