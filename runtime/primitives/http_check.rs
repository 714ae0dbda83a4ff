//! `http_check`: does a URL answer as it should?

mod attempt;
mod expect;
mod json;
mod options;
mod result;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::drivers::http::{Address, Gate, Request, Trust};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Recovery,
    Sink, Spec, Ty,
};

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

    fn needs(&self, call: &Call) -> Vec<Need> {
        options::needs(call)
    }

    /// Asking is a read; a method that is meant to change something makes it a change.
    fn effect(&self, call: &Call) -> Effect {
        if matches!(method(call), "GET" | "HEAD" | "OPTIONS") { Effect::Read } else { Effect::Change }
    }

    /// PUT and DELETE done twice are done once (RFC 9110, section 9.2.2); of a POST only its receiver knows.
    fn recovery(&self, call: &Call) -> Recovery {
        match method(call) {
            "GET" | "HEAD" | "OPTIONS" => Recovery::Pure,
            "PUT" | "DELETE" => Recovery::Idempotent,
            _ => Recovery::Ask,
        }
    }

    /// It was received and answered as expected; of the answer nothing else is known.
    fn presumed(&self, call: &Call) -> Value {
        let urls = if call.str(0).is_empty() { call.strings(0) } else { vec![call.str(0).to_owned()] };
        let mut values: Vec<Value> = urls.into_iter().map(result::presumed).collect();
        if call.args.first().is_some_and(Value::is_array) {
            Value::Array(values)
        } else {
            values.pop().unwrap_or_default()
        }
    }

    fn secrets(&self, call: &Call) -> Vec<String> {
        call.option_texts(&["password", "authorization", "proxy-authorization", "cookie", "x-api-key"])
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("headers", "a header"), Sink::new("body", "the body"), Sink::new("basic_auth", "the login")]
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
        let granted = Granted { context, asked: options::hosts(call) };
        let ended: Vec<Attempts> = context.wait(&what, budget + GRACE, async {
            Ok(join_all(targets.iter().map(|target| attempt::until_met(context, target, &granted))).await)
        })?;
        Ok(result::of(ended, many, options.check)?.made(changes(self.effect(call), call)?))
    }

    /// A plan takes it that the answer will be the expected one: nothing else is known of it.
    fn predict(&self, _context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        options.check()?;
        Expectation::new(&options)?;
        let many = call.args.first().is_some_and(Value::is_array);
        let mut values: Vec<Value> =
            addresses(call)?.iter().map(|address| result::foreseen(address, options.check)).collect();
        let value = if many { Value::Array(values) } else { values.pop().unwrap_or_default() };
        Ok(Prediction { value, changes: changes(self.effect(call), call)? })
    }

    fn observed(&self, _call: &Call, result: &Value) -> Value {
        result::observed(result)
    }
}

/// What is granted holds for every hop. Where nothing is declared, a host counts as named when the call itself asks it.
struct Granted<'a> {
    context: &'a Context<'a>,
    asked: Vec<String>,
}

impl Gate for Granted<'_> {
    fn may_ask(&self, address: &Address) -> Result<(), Failure> {
        self.context.granted(&Need::http(address.to_string()))
    }

    fn names(&self, host: &str) -> bool {
        let declared = self.context.services.names_host(host);
        declared.unwrap_or_else(|| self.asked.iter().any(|asked| asked.eq_ignore_ascii_case(host)))
    }
}

fn method(call: &Call) -> &str {
    let written = call.options.get("method").and_then(Value::as_str);
    written.unwrap_or(if call.options.get("body").is_some_and(|body| !body.is_null()) { "POST" } else { "GET" })
}

/// What asking changes is the receiver's business: a plan only says who is asked for what.
fn changes(effect: Effect, call: &Call) -> Result<Vec<Change>, Failure> {
    if effect == Effect::Read {
        return Ok(Vec::new());
    }
    let change = |address: &Address| Change::new(Action::Run, format!("{} {address}", method(call)));
    Ok(addresses(call)?.iter().map(change).collect())
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
        Some(file) => Trust::file(&context.real(file)?),
        None => Ok(Trust::System),
    }
}
