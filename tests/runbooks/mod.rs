//! Tests of `runbooks/`.

mod demo_app;
mod demo_images;
mod quickstart;
mod systems;
