//! `runtime/secrets/`.

mod chains;
mod deploys;
mod encodings;
mod env_file;
mod redactor;
mod sources;
mod speed;
mod surfaces;
