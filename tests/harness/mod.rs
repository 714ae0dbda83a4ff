//! What tests share.

#![allow(dead_code, unused_imports)]

pub mod certificates;
mod direct;
pub mod http;

pub use direct::Direct;
