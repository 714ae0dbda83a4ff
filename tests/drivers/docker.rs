//! The Docker engine driver against a real engine.

mod containers;
mod exec;
mod images;
mod lease;
mod networks;
mod reach;
