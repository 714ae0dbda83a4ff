use std::time::Duration;

use serde_json::Value;

use super::{method, needs, target, told};
use crate::drivers::ssh::Purpose;
use crate::primitive::{Arg, Call, Context, Failure, Need, Outcome, Primitive, Span, Spec, Touches, Ty};

crate::options! {
    /// Options of `ssh.port_open`.
    pub struct Options {
        /// The address, as the host sees it.
        address: String = "127.0.0.1".into(),
        /// How long to go on asking while nothing listens; without it, it is asked once.
        within: Span = Span::seconds(0),
    }
}

/// How long the host may take to say whether something listens.
const ANSWER: Duration = Duration::from_secs(60);

/// Does something listen?
pub struct PortOpen;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    ..method(
        "port_open",
        &[Arg::new("port", Ty::Int, "The TCP port.")],
        "Tells whether something listens on a port, as the host itself sees it.",
        r#"let up = ssh("web-1").port_open(8080, #{ within: "30s" });"#,
    )
};

impl Primitive for PortOpen {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, format!("port {} open?", call.args.first().unwrap_or(&Value::Null)))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let port = super::port(call, 0)?;
        let target = target(context, call)?;
        let purpose = Purpose::Port(options.address.clone(), port);
        let hosts = context.drivers.ssh();
        let asking = async {
            // Reaching the host at all must not count as a closed port.
            hosts.reach(&target).await?;
            let end = tokio::time::Instant::now() + options.within.0;
            loop {
                if hosts.open(&target, &purpose).await.is_ok() {
                    return Ok(true);
                }
                if tokio::time::Instant::now() >= end {
                    return hosts.reach(&target).await.map(|()| false);
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        let what = format!("asking `{}` about port {port}", target.name);
        Ok(Outcome::from(Value::from(context.wait(&what, options.within.0 + ANSWER, asking)?)))
    }

    fn is_gate(&self) -> bool {
        true
    }

    fn touches(&self, _: &Context<'_>, _: &Call) -> Touches {
        Touches::Anything
    }
}
