//! From the options of `run` to what the engine creates.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{SCRATCH, labels};
use crate::drivers::docker::{ContainerSpec, NetworkAttachment, PortSpec, Resources, Restart};
use crate::primitive::{ByteSize, Call, Context, Failure, FailureKind, Need, Span, Spec, Touches, text_of};
use crate::primitives::on_engine::short_key;
use crate::primitives::on_engine::touches::will_write;

crate::options! {
    /// Options of `run`.
    pub struct Options {
        /// The container's name; made up when left out.
        name: Option<String>,
        /// Environment variables on top of the image's.
        env: BTreeMap<String, String>,
        /// Volumes and folders: `"volume:/path"`, `"./folder:/path:ro"`. A leading `.` is the project's folder.
        volumes: Vec<String>,
        /// Published ports: `"8080:80"`, `"127.0.0.1:8080:80"`, `"127.0.0.1::80"` (a free one).
        ports: Vec<String>,
        /// Networks to be in.
        networks: Vec<String>,
        /// Names by which others in these networks find it, besides its own.
        aliases: Vec<String>,
        /// User (and group), as in `"1000:1000"`; the image's when left out.
        user: Option<String>,
        /// The folder to run in; the image's when left out.
        working_dir: Option<String>,
        /// In place of the image's entry point; an empty list takes it away.
        entrypoint: Option<Vec<String>>,
        /// Labels.
        labels: BTreeMap<String, String>,
        /// The most memory it may use.
        memory: Option<ByteSize>,
        /// `"missing"` pulls the image when the engine does not have it; `"always"` and `"never"` do as they say.
        pull: String = "missing".into(),
        /// `#{ username, password }` for the registry; else that of the project file or of `docker login`.
        login: Option<BTreeMap<String, String>>,
        /// The platform, as in `"linux/arm64"`, when the image has several.
        platform: Option<String>,
        /// Leave it running and return at once.
        detach: bool = false,
        /// With `detach`: what happens when its process ends, as in `"unless-stopped"`.
        restart: Option<String>,
        /// Keep the container when it has ended.
        keep: bool = false,
        /// It is made to be thrown away: what it keeps in anonymous volumes is no loss when it is removed with them.
        scratch: bool = false,
        /// How long it may run; then it is removed.
        timeout: Span = Span::seconds(600),
        /// Fail when the exit code is not 0. With `false`, look at `ok` and `code` of the result.
        check: bool = true,
        /// How much of the end of each stream is returned. The log has every line, whatever is returned.
        capture: ByteSize = ByteSize(1 << 20),
    }
}

/// What running a container reaches: the image, the names it gets and joins, and what it sees of this machine.
pub(super) fn needs(spec: &Spec, call: &Call) -> Vec<Need> {
    let texts = |option: &str| -> Vec<String> {
        match call.options.get(option) {
            Some(Value::Array(items)) => items.iter().map(|item| text_of(Some(item))).collect(),
            None | Some(Value::Null) => Vec::new(),
            other => vec![text_of(other)],
        }
    };
    let (paths, volumes): (Vec<String>, Vec<String>) =
        texts("volumes").into_iter().partition(|volume| volume.starts_with(['.', '/']));
    let volumes = volumes.iter().filter_map(|volume| volume.split_once(':')).map(|(name, _)| name.to_owned());
    let names = [call.needed(0)].into_iter().chain(texts("name")).chain(texts("networks")).chain(volumes);
    let mut needs = super::needs(spec, call, names);
    needs.extend(paths.iter().filter_map(|volume| {
        let (path, target) = volume.split_once(':')?;
        Some(if target.ends_with(":ro") { Need::read(path) } else { Need::write(path) })
    }));
    needs
}

/// What to create. Refuses what makes no sense before anything happens.
pub(super) fn spec(
    context: &Context<'_>,
    image: &str,
    command: Option<Vec<String>>,
    options: &Options,
) -> Result<ContainerSpec, Failure> {
    let wrong = |option: &str, why: String| Failure::new(FailureKind::Option, format!("option `{option}` {why}"));
    if !matches!(options.pull.as_str(), "missing" | "always" | "never") {
        return Err(wrong("pull", format!("must be missing, always or never, got `{}`", options.pull)));
    }
    if options.restart.is_some() && !options.detach {
        return Err(wrong("restart", "needs `detach: true`: what ends by itself is not started again".into()));
    }
    if !options.aliases.is_empty() && options.networks.is_empty() {
        return Err(wrong("aliases", "needs `networks`: the engine's default network knows no names".into()));
    }
    let binds = options.volumes.iter().map(|text| bind(context, text)).collect::<Result<_, _>>();
    let ports = options.ports.iter().map(|text| port(text)).collect::<Result<_, _>>();
    let mut own = options.labels.clone();
    own.extend(options.scratch.then(|| (SCRATCH.to_owned(), "true".to_owned())));
    Ok(ContainerSpec {
        name: options.name.clone().unwrap_or_else(|| made_up_name(context)),
        image: image.to_owned(),
        platform: options.platform.clone(),
        command,
        entrypoint: options.entrypoint.clone(),
        env: options.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        labels: labels(context, own),
        ports: ports.map_err(|why| wrong("ports", why))?,
        binds: binds.map_err(|why| wrong("volumes", why))?,
        networks: options
            .networks
            .iter()
            .map(|name| NetworkAttachment {
                name: name.clone(),
                aliases: options.aliases.clone(),
                ..NetworkAttachment::default()
            })
            .collect(),
        user: options.user.clone(),
        working_dir: options.working_dir.clone(),
        restart: options.restart.clone().map(|policy| Restart { policy, max_retries: None }),
        resources: Resources {
            memory: options.memory.and_then(|size| i64::try_from(size.0).ok()),
            ..Resources::default()
        },
        ..ContainerSpec::default()
    })
}

/// Tells which run left it, should one ever be left. It is the same when the run is resumed, and no other call has it.
fn made_up_name(context: &Context<'_>) -> String {
    let (run, path) = (context.run.id, context.path.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
    format!("runbook-{run}-{path}-{}", short_key(context))
}

fn bind(context: &Context<'_>, text: &str) -> Result<String, String> {
    let Some((source, target)) = text.split_once(':') else {
        return Err(format!("must be like \"data:/var/lib/data\", got `{text}`"));
    };
    if !target.starts_with('/') {
        return Err(format!("needs an absolute path in the container, got `{text}`"));
    }
    if !source.starts_with('.') {
        return Ok(text.to_owned());
    }
    let path = context.resolve(source);
    if !path.exists() {
        if will_write(context, &Touches::disk(&path)) {
            return Ok(format!("{}:{target}", path.display()));
        }
        return Err(format!("names `{source}`, which does not exist"));
    }
    let folder = context.real(source).map_err(|failure| failure.message)?;
    Ok(format!("{}:{target}", folder.display()))
}

/// `[[address:]host port:]port[/protocol]`, an IPv6 address in brackets.
fn port(text: &str) -> Result<PortSpec, String> {
    let wrong = || format!("must be like \"8080:80\" or \"127.0.0.1:8080:80\", got `{text}`");
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (front, inside) = match rest.rsplit_once(':') {
        Some((front, inside)) => (Some(front), inside),
        None => (None, rest),
    };
    let container = inside.parse().map_err(|_| wrong())?;
    let (host_ip, host_port) = match front.map(|front| front.rsplit_once(':').unwrap_or(("", front))) {
        Some((address, port)) => (Some(address).filter(|address| !address.is_empty()), Some(port)),
        None => (None, None),
    };
    let host_ip = host_ip.map(|address| address.trim_matches(['[', ']']));
    // An address alone is the engine's way to ask for a free port there.
    let host_port = host_port.filter(|port| !port.is_empty() || host_ip.is_none());
    let is_address = host_ip.is_none_or(|address| address.parse::<std::net::IpAddr>().is_ok());
    let is_port = host_port.is_none_or(|port| port.parse::<u16>().is_ok());
    if !is_address || !is_port || !matches!(protocol, "tcp" | "udp" | "sctp") {
        return Err(wrong());
    }
    Ok(PortSpec {
        container,
        protocol: protocol.to_owned(),
        host_ip: host_ip.map(str::to_owned),
        host_port: host_port.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_docker_reads_them() {
        let read = |text: &str| port(text).map(|port| (port.host_ip.clone(), port.host_port.clone(), port.key()));
        assert_eq!(read("80"), Ok((None, None, "80/tcp".into())));
        assert_eq!(read("8080:80"), Ok((None, Some("8080".into()), "80/tcp".into())));
        assert_eq!(read("127.0.0.1:53:53/udp"), Ok((Some("127.0.0.1".into()), Some("53".into()), "53/udp".into())));
        assert_eq!(read("[::1]:8080:80"), Ok((Some("::1".into()), Some("8080".into()), "80/tcp".into())));
        assert_eq!(read("127.0.0.1::80"), Ok((Some("127.0.0.1".into()), None, "80/tcp".into())));
        for wrong in ["", ":80", "x", "80:x", "1:2:3:4", "80/icmp", "70000"] {
            assert!(port(wrong).is_err(), "{wrong}");
        }
    }
}
