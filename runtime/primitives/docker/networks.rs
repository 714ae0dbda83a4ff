use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Foreseen, ask, converge, is_there, labels, method, needs, touches, without};
use crate::drivers::docker::{Network, NetworkSpec, Subnet};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Recovery,
    Spec, Touches, Ty,
};

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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&NETWORKS, call, ["*".to_owned()])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: ListOptions = call.options()?;
        let found = ask(context, call, "listing networks", async |engine| engine.networks(&options.labels).await)?;
        Ok(json!(found).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.look_at_all("network"))
    }

    fn observed(&self, _: &Call, result: &Value) -> Value {
        let seen = result.as_array().into_iter().flatten();
        seen.map(|network| without(network, &["id", "subnets", "labels"])).collect()
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&CREATE, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let spec = wanted(context, call)?;
        converge(
            context,
            || creating(context, call),
            |_| {
                ask(context, call, "creating a network", async |engine| match engine.network(&spec.name).await? {
                    Some(present) if present.name == spec.name => Ok(()),
                    _ => engine.create_network(&spec).await.map(drop),
                })
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("network", Some(call.str(0))))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        creating(context, call).map(Foreseen::prediction)
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&REMOVE, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        converge(
            context,
            || removing(context, call),
            |foreseen| {
                let id = foreseen.proof.as_str().unwrap_or_default();
                ask(context, call, "removing a network", async |engine| engine.remove_network(id).await.map(drop))
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("network", Some(call.str(0))))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        removing(context, call).map(Foreseen::prediction)
    }
}

fn wanted(context: &Context<'_>, call: &Call) -> Result<NetworkSpec, Failure> {
    let options: CreateOptions = call.options()?;
    let subnets = (options.subnet.is_some() || options.gateway.is_some()).then(|| Subnet {
        subnet: options.subnet,
        gateway: options.gateway,
        ..Subnet::default()
    });
    Ok(NetworkSpec {
        name: call.str(0).to_owned(),
        driver: options.driver,
        driver_options: options.driver_options,
        labels: labels(context, options.labels),
        internal: options.internal,
        ipv6: options.ipv6.then_some(true),
        subnets: subnets.into_iter().collect(),
        ..NetworkSpec::default()
    })
}

fn find(context: &Context<'_>, call: &Call) -> Result<Option<Network>, Failure> {
    ask(context, call, "looking for a network", async |engine| engine.network(call.str(0)).await)
}

fn creating(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let (spec, what) = (wanted(context, call)?, format!("network {}", call.str(0)));
    let present = find(context, call)?.filter(|present| present.name == spec.name);
    if !is_there(context, &what, present.is_some()) {
        return Ok(Foreseen::change(
            true,
            Change::new(Action::Create, what).detail(format!("driver: {}", spec.driver)),
        ));
    }
    present.map_or(Ok(()), |present| same(&present, &spec))?;
    Ok(Foreseen::nothing(false))
}

fn removing(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let present = find(context, call)?;
    let name = present.as_ref().map_or(call.str(0), |present| present.name.as_str());
    let what = format!("network {name}");
    if !is_there(context, &what, present.is_some()) {
        return Ok(Foreseen::nothing(false));
    }
    let id = present.map_or_else(|| call.str(0).to_owned(), |present| present.id);
    Ok(Foreseen::change(true, Change::new(Action::Remove, what)).proof(id))
}
