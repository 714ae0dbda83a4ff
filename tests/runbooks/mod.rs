//! Tests of `runbooks/`.

mod demo_app;
