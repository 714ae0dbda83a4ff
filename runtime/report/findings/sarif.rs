use serde_json::{Value, json};

use crate::failure::{Finding, Findings, Rule, Severity};

/// Findings as a SARIF 2.1.0 log (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>), as code hosts show them.
pub fn findings_sarif(report: &Findings, rules: &[Rule]) -> Value {
    let described: Vec<Value> = rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "shortDescription": { "text": rule.summary },
                "fullDescription": { "text": rule.summary },
                "help": { "text": rule.help },
            })
        })
        .collect();
    let results: Vec<Value> = report.findings.iter().map(|finding| result(finding, rules)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "runbook check",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": described,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding, rules: &[Rule]) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut text = finding.message.clone();
    if let Some(environment) = &finding.environment {
        text.push_str(&format!(" (environment `{environment}`)"));
    }
    for hint in &finding.hints {
        text.push_str(&format!("\nhint: {hint}"));
    }
    let region = json!({
        "startLine": finding.line,
        "startColumn": finding.column,
        "endColumn": finding.column + finding.length,
    });
    let uri = json!({ "uri": address(&finding.file) });
    let mut result = json!({
        "ruleId": finding.code,
        "level": level,
        "message": { "text": text },
        "locations": [{ "physicalLocation": { "artifactLocation": uri.clone(), "region": region.clone() } }],
    });
    if let Some(index) = rules.iter().position(|rule| rule.code == finding.code) {
        result["ruleIndex"] = index.into();
    }
    if let Some(fix) = &finding.fix {
        result["fixes"] = json!([{
            "description": { "text": format!("replace with `{}`", fix.replacement) },
            "artifactChanges": [{
                "artifactLocation": uri,
                "replacements": [{ "deletedRegion": region, "insertedContent": { "text": fix.replacement } }],
            }],
        }]);
    }
    result
}

/// A relative path as a URI reference: everything but unreserved characters and `/` is escaped (RFC 3986).
fn address(path: &str) -> String {
    path.bytes().fold(String::new(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
        uri
    })
}
