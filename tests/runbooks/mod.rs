//! Tests of `runbooks/`.

mod backups;
mod demo_app;
pub mod demo_images;
mod plans;
mod provision;
mod quickstart;
pub mod saved;
pub mod systems;
