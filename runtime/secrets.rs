//! What must not be shown: where its values come from, and how they are kept from sight.

pub mod env_file;
mod generated;
mod key;
mod known;
mod limits;
mod names;
mod naming;
mod redactor;
pub mod sealed;
mod sources;
mod strength;
mod text;
mod token;
mod tokens;

pub use generated::{Generated, Kind};
pub use key::Key;
pub use known::{redactor_as_far_as_known, redactor_of};
pub use limits::check_value;
pub use names::secret_in;
pub use naming::check_name;
pub use redactor::{Redactor, Stream, is_masked, matches_masked};
pub use sources::{Found, Source, Sources};
pub use strength::{entropy_bits, is_placeholder};
pub use text::SecretText;
pub use token::{is_in as is_token_in, replace_tokens};
pub use tokens::{Secret, Tokens, named_in};
