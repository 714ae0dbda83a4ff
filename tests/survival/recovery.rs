//! What is done after a blow, until the run has ended: `resume`, and a person's answers where it asks.

use serde_json::json;

use super::account;
use super::site::{Site, World};
use crate::harness::Ran;

/// How often a run is resumed before it counts as stuck.
const ATTEMPTS: usize = 8;

/// How a struck run came to its end.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Nothing had begun, and it was run again.
    pub anew: bool,
    /// How often it was resumed.
    pub resumed: usize,
    /// The primitives of the calls that a person had to decide on.
    pub asked: Vec<String>,
    /// What went wrong, each with its kind as its first word.
    pub problems: Vec<String>,
}

/// Brings the run to its end.
pub fn recover(site: &Site, before: &World) -> Recovery {
    let mut recovery = Recovery::default();
    let run = account::number(site).to_string();
    let mut said = String::new();
    for _ in 0..ATTEMPTS {
        let ran = match account::state(site) {
            Some(state) if account::is_over(state) => return recovery,
            Some(_) => {
                recovery.resumed += 1;
                site.runbook(&["resume", &run])
            }
            None => {
                if site.world() != *before {
                    recovery
                        .problems
                        .push(format!("lost: something happened, and no run is known\n{:?}", site.world()));
                    return recovery;
                }
                recovery.anew = true;
                site.runbook(&site.begin())
            }
        };
        let ran = answer(site, &run, ran, &mut recovery);
        if !matches!(ran.code, 0 | 1) {
            recovery.problems.push(format!("stuck with code {}\n{}", ran.code, ran.stderr));
            return recovery;
        }
        said = ran.stderr;
    }
    if !account::state(site).is_some_and(account::is_over) {
        recovery.problems.push(format!("stuck after {ATTEMPTS} attempts, {:?}: {said}", account::state(site)));
    }
    recovery
}

/// Ends the run by `runbook cancel`, as somebody who does not want the rest of it.
pub fn cancel(site: &Site) -> Recovery {
    let mut recovery = Recovery { resumed: 1, ..Recovery::default() };
    let run = account::number(site).to_string();
    let ran = site.runbook(&["cancel", &run]);
    let ran = answer(site, &run, ran, &mut recovery);
    if !account::state(site).is_some_and(account::is_over) {
        recovery.problems.push(format!("stuck with code {}, {:?}\n{}", ran.code, account::state(site), ran.stderr));
    }
    recovery
}

/// A person who reads what is asked and looks at the world: was the command's line written?
///
/// A decision goes on with the run, so the next question may come with the answer to the last one.
fn answer(site: &Site, run: &str, mut asking: Ran, recovery: &mut Recovery) -> Ran {
    while asking.code == 3 {
        if asking.stderr.contains(&format!("runbook approve {run}")) {
            recovery.asked.push("confirm".into());
            asking = site.runbook(&["approve", run]);
            continue;
        }
        let Some(path) = asking.stderr.split(&format!("runbook resolve {run} ")).nth(1) else { break };
        let path = path.split_whitespace().next().unwrap_or_default();
        let call = account::call(site, path);
        recovery.asked.push(call.name.clone());
        let key = call.arguments["argv"].as_array().and_then(|argv| argv.last()?.as_str()).unwrap_or_default();
        let result = json!({
            "code": 0, "ok": true, "signal": null, "truncated": false, "stdout": format!("did {key}"), "stderr": "",
        });
        let result = result.to_string();
        let happened = site.effects().iter().any(|effect| effect == key);
        let fails = call.title.contains("; exit ");
        let decision = match (happened, fails) {
            (true, true) => vec!["--fail"],
            (true, false) => vec!["--done", &result],
            _ => vec!["--retry"],
        };
        asking = site.runbook(&[&["resolve", run, path], &decision[..]].concat());
    }
    asking
}
