//! The lints, one family per file.

mod addresses;
mod arguments;
mod blocks;
mod calls;
mod captures;
mod environment;
mod files;
mod flow;
mod imports;
mod needs;
mod options;
mod params;
mod secrets;
mod services;
mod shadowing;
mod steps;
mod updates;
mod values;
mod variables;

use super::walk::Lint;

/// Every lint, in no particular order: findings are sorted by place.
pub(super) fn all() -> Vec<Box<dyn Lint>> {
    vec![
        Box::new(addresses::Addresses),
        Box::new(arguments::Arguments),
        Box::new(blocks::Blocks),
        Box::new(calls::Calls),
        Box::new(captures::Captures),
        Box::new(environment::Environments),
        Box::new(files::Files::default()),
        Box::new(flow::Flow),
        Box::new(imports::Imports),
        Box::new(needs::Needs::default()),
        Box::new(options::Options),
        Box::new(params::Params::default()),
        Box::new(secrets::Secrets),
        Box::new(services::Services),
        Box::new(shadowing::Shadowing),
        Box::new(steps::Steps),
        Box::new(updates::Updates),
        Box::new(values::Values),
        Box::new(variables::Variables),
    ]
}
