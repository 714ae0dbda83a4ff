//! One test binary; its folders have the names of `runtime/`.

mod harness;
