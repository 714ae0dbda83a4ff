//! Tests of `runtime/compose`.

mod corpus;
