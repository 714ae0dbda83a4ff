//! Tests of `runtime/script/check`.
