use std::collections::BTreeMap;

use serde_json::json;

use super::{ask, labels, made, method};
use crate::drivers::docker::{Network, NetworkSpec, Subnet};
use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Probe, Spec, Ty};

const NAME: Arg = Arg::new("name", Ty::Str, "The network's name.");

crate::options! {
    /// Options of `networks`.
    pub struct ListOptions {
        /// Only networks with all these labels: `"name"` or `"name=value"`.
        labels: Vec<String>,
    }
}

/// Lists networks.
pub struct Networks;

static NETWORKS: Spec = Spec {
    options: Some(ListOptions::SPEC),
    ..method("networks", &[], "Lists networks, by name.", r"let all = docker().networks().map(|network| network.name);")
};

impl Primitive for Networks {
    fn spec(&self) -> &'static Spec {
        &NETWORKS
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: ListOptions = call.options()?;
        let found = ask(context, call, "listing networks", async |engine| engine.networks(&options.labels).await)?;
        Ok(json!(found).into())
    }
}

crate::options! {
    /// Options of `create_network`.
    pub struct CreateOptions {
        /// The driver.
        driver: String = "bridge".into(),
        /// Options of the driver.
        driver_options: BTreeMap<String, String>,
        /// Without a way out.
        internal: bool = false,
        /// With IPv6 addresses.
        ipv6: bool = false,
        /// Its addresses, as in `"172.28.0.0/16"`; the engine chooses when left out.
        subnet: Option<String>,
        /// The gateway.
        gateway: Option<String>,
        /// Labels.
        labels: BTreeMap<String, String>,
    }
}

/// Creates a network.
pub struct CreateNetwork;

static CREATE: Spec = Spec {
    options: Some(CreateOptions::SPEC),
    effect: Effect::Change,
    ..method(
        "create_network",
        &[NAME],
        "Creates a network, unless there is one like it. Returns whether it had to be created.",
        r#"docker().create_network("edge", #{ labels: #{ team: "web" } });"#,
    )
};

impl Primitive for CreateNetwork {
    fn spec(&self) -> &'static Spec {
        &CREATE
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: CreateOptions = call.options()?;
        let subnets = (options.subnet.is_some() || options.gateway.is_some()).then(|| Subnet {
            subnet: options.subnet,
            gateway: options.gateway,
            ..Subnet::default()
        });
        let spec = NetworkSpec {
            name: call.str(0).to_owned(),
            driver: options.driver,
            driver_options: options.driver_options,
            labels: labels(context, options.labels),
            internal: options.internal,
            ipv6: options.ipv6.then_some(true),
            subnets: subnets.into_iter().collect(),
            ..NetworkSpec::default()
        };
        ask(context, call, "creating a network", async |engine| match engine.network(&spec.name).await? {
            Some(present) if present.name == spec.name => same(&present, &spec).map(|()| made(false)),
            _ => engine.create_network(&spec).await.map(|_| made(true)),
        })
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // One that is there is left alone.
    }
}

/// Is the one that is there what was asked for? Labels are no reason to refuse it.
fn same(present: &Network, wanted: &NetworkSpec) -> Result<(), Failure> {
    let subnet = |subnets: &[Subnet]| subnets.first().and_then(|first| first.subnet.clone());
    let other_subnet = subnet(&wanted.subnets).is_some_and(|wanted| subnet(&present.subnets) != Some(wanted));
    let different = if present.driver != wanted.driver {
        format!("driver `{}`", present.driver)
    } else if present.internal != wanted.internal {
        format!("internal: {}", present.internal)
    } else if other_subnet {
        format!("the addresses `{}`", subnet(&present.subnets).unwrap_or_default())
    } else {
        return Ok(());
    };
    let message = format!("there is a network `{}` already, with {different}", present.name);
    Err(Failure::new(FailureKind::Conflict, message).hint("remove it, or ask for what is there"))
}

/// Removes a network.
pub struct RemoveNetwork;

static REMOVE: Spec = Spec {
    effect: Effect::Destroy,
    ..method(
        "remove_network",
        &[NAME],
        "Removes a network that no container is in. Returns whether there was one.",
        r#"docker().remove_network("edge");"#,
    )
};

impl Primitive for RemoveNetwork {
    fn spec(&self) -> &'static Spec {
        &REMOVE
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        ask(context, call, "removing a network", async |engine| engine.remove_network(call.str(0)).await).map(made)
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // Removing what is gone changes nothing.
    }
}
