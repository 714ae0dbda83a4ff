//! `http_check`: does a URL answer as it should?

mod attempt;
mod expect;
mod json;
mod options;
mod result;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::drivers::http::{Address, Request, Trust};
use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Spec, Ty};

use attempt::Attempts;
use expect::Expectation;
use options::Options;

/// Asks one URL or several at once, and compares the answers with what is expected.
pub struct HttpCheck;

static SPEC: Spec = Spec {
    name: "http_check",
    receiver: None,
    args: &[Arg::new("url", Ty::OneOf(&[Ty::Str, Ty::Strings]), "the URL, or a list of URLs to ask at the same time")],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Asks a URL, or several at once, and fails unless the answer is the expected one.",
    example: r#"http_check("http://127.0.0.1:8000/health", #{ status: 200, json: #{ status: "ok" }, within: "60s" })"#,
};

/// What a whole call may take longer than its own limits, before the run stops waiting for it.
const GRACE: Duration = Duration::from_secs(10);

/// One URL with everything that was checked beforehand.
struct Target<'a> {
    request: Request,
    expectation: &'a Expectation,
    options: &'a Options,
    /// Is it one of several? Then messages about it name it.
    one_of_many: bool,
}

impl Primitive for HttpCheck {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    /// Asking is a read; a method that is meant to change something makes it a change.
    fn effect(&self, call: &Call) -> Effect {
        let method = call.options.get("method").and_then(Value::as_str);
        match method.or_else(|| call.options.get("body").map(|_| "POST")) {
            None | Some("GET" | "HEAD" | "OPTIONS") => Effect::Read,
            Some(_) => Effect::Change,
        }
    }

    fn secrets(&self, call: &Call) -> Vec<String> {
        call.option_texts(&["password", "authorization", "proxy-authorization", "cookie", "x-api-key"])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        options.check()?;
        let expectation = Expectation::new(&options)?;
        let many = call.args.first().is_some_and(Value::is_array);
        let addresses = addresses(call)?;
        let trust = trust(context, &options)?;
        let targets = addresses
            .into_iter()
            .map(|address| {
                let request = options.request(address, trust.clone())?;
                Ok(Target { request, expectation: &expectation, options: &options, one_of_many: many })
            })
            .collect::<Result<Vec<_>, Failure>>()?;

        let budget = options.within.unwrap_or(options.timeout).0;
        let what = if many { "asking the URLs".to_owned() } else { format!("asking `{}`", call.str(0)) };
        let ended: Vec<Attempts> = context.wait(&what, budget + GRACE, async {
            Ok(join_all(targets.iter().map(|target| attempt::until_met(context, target))).await)
        })?;
        result::of(ended, many, options.check)
    }
}

fn addresses(call: &Call) -> Result<Vec<Address>, Failure> {
    let urls = if call.str(0).is_empty() { call.strings(0) } else { vec![call.str(0).to_owned()] };
    if urls.is_empty() {
        return Err(Failure::new(FailureKind::Argument, "argument `url` names no URL"));
    }
    urls.iter().map(|url| Address::parse(url)).collect()
}

fn trust(context: &Context<'_>, options: &Options) -> Result<Trust, Failure> {
    match &options.tls.ca {
        _ if !options.tls.verify => Ok(Trust::Anyone),
        Some(file) => Trust::file(&context.resolve(file)),
        None => Ok(Trust::System),
    }
}
