use std::net::TcpListener;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{method, needs, target, told};
use crate::drivers::ssh::forward;
use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Spec, Ty};

crate::options! {
    /// Options of `ssh.forward`.
    pub struct Options {
        /// The address, as the host sees it.
        address: String = "127.0.0.1".into(),
        /// The port of this machine; the same number as that of the host when left out.
        local: Option<u16>,
    }
}

/// Runs a block while a port of this machine leads to one of the host.
pub struct Forward;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Flow,
    ..method(
        "forward",
        &[
            Arg::new("port", Ty::Int, "The TCP port, as the host sees it."),
            Arg::new(
                "block",
                Ty::Block,
                "Runs while the port is open; it may take the number of the port of this machine.",
            ),
        ],
        "Runs a block while a port of this machine, on 127.0.0.1 only, leads to a port that the host sees.",
        r#"ssh("web-1").forward(8080, |port| http_check(`http://127.0.0.1:${port}/health`), #{ local: 18080 });"#,
    )
};

impl Primitive for Forward {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, format!("forward port {}", call.args.first().unwrap_or(&Value::Null)))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let port = super::port(call, 0)?;
        let local = options.local.unwrap_or(port);
        let target = target(context, call)?;
        let listener = TcpListener::bind(("127.0.0.1", local)).map_err(|error| {
            let failure = Failure::system(format!("listen on port {local} of this machine"), &error);
            let failure = Failure { kind: FailureKind::Conflict, ..failure };
            failure.hint("choose another one with the option `local`")
        })?;
        let hosts = context.drivers.shared_ssh();
        let (open, serving) = forward(Arc::clone(&hosts), target, listener, (options.address, port));
        context.drivers.spawn(serving);
        let block = call.block(1)?;
        let arguments = if block.parameters() > 0 { vec![json!(local)] } else { Vec::new() };
        match block.call(arguments) {
            Ok(value) => Ok(value.into()),
            // What led nowhere is seen by the block only as a connection that ended.
            Err(failure) => Err(match open.trouble() {
                Some(trouble) => failure.hint(format!("the way through `{}`: {trouble}", call.receiver_str("name"))),
                None => failure,
            }),
        }
    }
}
