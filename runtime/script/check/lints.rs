//! The lints, one family per file.

mod arguments;
mod calls;
mod captures;
mod flow;
mod imports;
mod options;
mod params;
mod shadowing;
mod steps;
mod variables;

use super::walk::Lint;

/// Every lint, in no particular order: findings are sorted by place.
pub(super) fn all() -> Vec<Box<dyn Lint>> {
    vec![
        Box::new(arguments::Arguments),
        Box::new(calls::Calls),
        Box::new(captures::Captures),
        Box::new(flow::Flow),
        Box::new(imports::Imports),
        Box::new(options::Options),
        Box::new(params::Params::default()),
        Box::new(shadowing::Shadowing),
        Box::new(steps::Steps),
        Box::new(variables::Variables),
    ]
}
