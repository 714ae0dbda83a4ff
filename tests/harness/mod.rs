//! What tests share.

mod direct;

#[allow(unused_imports)]
pub use direct::Direct;
