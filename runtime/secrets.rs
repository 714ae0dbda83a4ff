//! What must not be shown.

mod redactor;

pub use redactor::Redactor;
