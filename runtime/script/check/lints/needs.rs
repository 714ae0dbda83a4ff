//! What a runbook needs and nobody grants: known before anything runs wherever the script says it in so many words.

use std::collections::BTreeMap;

use super::super::cx::Cx;
use super::super::finding::{Details, error};
use super::super::needed::{self, Needed};
use super::super::tree::{At, Node};
use super::super::walk::Lint;
use crate::failure::Failure;
use crate::policy::{Grant, Missing, Policy, Voice, line};
use crate::project::Environment;

/// Collects what the calls need, and judges all of it at the end.
#[derive(Default)]
pub(super) struct Needs {
    found: Vec<Needed>,
}

impl Lint for Needs {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        if let Some(call) = node.call() {
            for environment in cx.each_environment() {
                self.found.extend(needed::by(cx, call, environment));
            }
        }
    }

    fn finish(&mut self, cx: &mut Cx<'_>) {
        for environment in cx.each_environment() {
            let policy = match policy(cx, environment) {
                Ok(policy) => policy,
                Err(failure) => {
                    let finding = error("needs", At { line: 1, column: 1 }, failure.message);
                    return cx.report(failure.hints.into_iter().fold(finding, Details::hint));
                }
            };
            let here = environment.map(|environment| environment.name.clone());
            let mut missing: BTreeMap<Grant, (Needed, Missing)> = BTreeMap::new();
            for needed in self.found.iter().filter(|needed| needed.environment == here && !needed.guarded) {
                for lacking in policy.missing(std::slice::from_ref(&needed.need), needed.looks) {
                    missing.entry(Grant::of(&lacking.need)).or_insert_with(|| (needed.clone(), lacking));
                }
            }
            report(cx, environment, &policy, &missing);
        }
        cx.needed = std::mem::take(&mut self.found);
    }
}

/// One finding for each thing that is missing; the line that declares all of them stands with each.
fn report(
    cx: &mut Cx<'_>,
    environment: Option<&Environment>,
    policy: &Policy,
    missing: &BTreeMap<Grant, (Needed, Missing)>,
) {
    let undeclared = |(_, (_, missing)): &(&Grant, &(Needed, Missing))| {
        missing.voice == Voice::Header && missing.denied_by.is_none()
    };
    let all: Vec<Grant> = missing.iter().filter(undeclared).map(|(grant, _)| grant.clone()).collect();
    for (needed, lacking) in missing.values() {
        let failure = policy.refusal(&format!("`{}`", needed.call), lacking);
        let mut finding = error("needs", needed.at, failure.message);
        if lacking.voice == Voice::Header && lacking.denied_by.is_none() {
            finding = finding.hint(format!("all that is missing, for the header: `//! @needs {}`", line(&all)));
            finding = finding.hint("`runbook check --fix` writes it there");
        } else {
            finding = failure.hints.into_iter().fold(finding, Details::hint);
        }
        cx.report_at(environment, &needed.file, finding);
    }
}

fn policy(cx: &Cx<'_>, environment: Option<&Environment>) -> Result<Policy, Failure> {
    let request = cx.request;
    // Where it is not known on which environment it will run, its own header is all there is to judge by.
    let unknown = Environment::default();
    let file = environment.and(request.policy);
    let environment = environment.unwrap_or(&unknown);
    Policy::new(request.project, environment, &cx.program.runbook, &cx.header.declared, file, request.narrowing)
}
