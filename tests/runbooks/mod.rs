//! Tests of `runbooks/`.

mod demo_app;
mod demo_images;
