//! Why two containers of a service cannot run beside each other: then a new one has to wait until the old one has gone.

use std::path::Path;

use super::application::Application;
use super::consistency::place;
use super::node::{self, Node};
use super::problem::Problem;
use super::service::{Mount, Service};

/// One reason, with its place in the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The volume or path that both would write to, when that is the reason: whoever knows that both may says so.
    pub written: Option<String>,
    /// What it is, and where.
    pub problem: Problem,
}

impl Obstacle {
    /// `the port 8000 of the host is fixed (compose.yaml:9:13)`
    pub fn shown(&self) -> String {
        let at = &self.problem;
        format!("{} ({}:{}:{})", at.message, at.file, at.line, at.column)
    }
}

impl Service {
    /// Why two of its containers cannot run beside each other; `shared` are volumes and folders that two may write to.
    pub fn obstacles(&self, shared: &[String]) -> Vec<&Obstacle> {
        let is_lifted = |obstacle: &&Obstacle| obstacle.written.as_ref().is_some_and(|path| is_shared(path, shared));
        self.alone.iter().filter(|obstacle| !is_lifted(obstacle)).collect()
    }
}

/// Is a volume or folder among those that two may write to? A folder may be named as the files name it.
pub fn is_shared(written: &str, shared: &[String]) -> bool {
    shared.iter().any(|name| written == name || written.ends_with(&format!("/{}", name.trim_start_matches("./"))))
}

/// Everything that stands in the way of a second container of a service.
pub(super) fn obstacles(application: &Application, service: &Service, whole: &Node) -> Vec<Obstacle> {
    let find = Find { service: &service.name, whole, found: Vec::new() };
    find.names(service).ports(service).addresses(service).name_spaces(application, service).writes(service).found
}

struct Find<'a> {
    service: &'a str,
    whole: &'a Node,
    found: Vec<Obstacle>,
}

impl Find<'_> {
    fn names(mut self, service: &Service) -> Self {
        if !service.container_name.is_empty() {
            self.add(&["container_name"], None, format!("the name `{}` is fixed", service.container_name));
        }
        self
    }

    fn ports(mut self, service: &Service) -> Self {
        for (index, port) in service.ports.iter().enumerate().filter(|(_, port)| is_fixed(&port.published)) {
            self.add(&["ports"], Some(index), format!("the port {} of the host is fixed", port.published));
        }
        self
    }

    fn addresses(mut self, service: &Service) -> Self {
        if !service.mac_address.is_empty() {
            self.add(&["mac_address"], None, "the MAC address is fixed");
        }
        for (key, attachment) in &service.networks {
            let Some(attachment) = attachment else { continue };
            let fixed = [&attachment.ipv4_address, &attachment.ipv6_address, &attachment.mac_address];
            if fixed.iter().any(|address| !address.is_empty()) || !attachment.link_local_ips.is_empty() {
                self.add(&["networks", key], None, format!("the address in `{key}` is fixed"));
            }
        }
        self
    }

    fn name_spaces(mut self, application: &Application, service: &Service) -> Self {
        let mode = service.network_mode.as_str();
        if mode == "host" || mode.starts_with("service:") || mode.starts_with("container:") {
            self.add(&["network_mode"], None, format!("both would listen in the same network, `{mode}`"));
        }
        let own = format!("service:{}", service.name);
        for other in application.services.values().filter(|other| other.network_mode == own) {
            let path = node::Path::of(&["services", &other.name]).key("network_mode");
            let message = format!("`{}` is in its network, and can only be in that of one container", other.name);
            self.found.push(Obstacle {
                written: None,
                problem: Problem::at(&place(self.whole, &path, None), &path, message),
            });
        }
        self
    }

    /// What only one container writes to now, and two would. Several replicas share what they write already.
    fn writes(mut self, service: &Service) -> Self {
        let alone = service.replicas() <= 1;
        for (index, mount) in service.volumes.iter().enumerate() {
            if is_written(mount) && (alone || mount.source.is_empty()) {
                let what = if mount.source.is_empty() { &mount.target } else { &mount.source };
                let kind = if mount.kind == "bind" { "folder" } else { "volume" };
                let shown = if mount.source.is_empty() {
                    format!("the anonymous volume at `{}` has one writer", mount.target)
                } else {
                    format!("the {kind} `{what}` has one writer")
                };
                self.add(&["volumes"], Some(index), shown);
                if let Some(last) = self.found.last_mut() {
                    last.written = Some(what.clone());
                }
            }
        }
        self
    }

    fn add(&mut self, keys: &[&str], item: Option<usize>, message: impl Into<String>) {
        let path = keys.iter().fold(node::Path::of(&["services", self.service]), |path, key| path.key(key));
        let mark = place(self.whole, &path, item);
        let path = item.map_or(path.clone(), |index| path.index(index));
        self.found.push(Obstacle { written: None, problem: Problem::at(&mark, &path, message) });
    }
}

/// A port that the engine does not choose.
fn is_fixed(published: &str) -> bool {
    !matches!(published, "" | "0")
}

fn is_written(mount: &Mount) -> bool {
    let only_read = mount.kind == "bind" && (is_socket(&mount.source) || is_configuration(&mount.source));
    matches!(mount.kind.as_str(), "volume" | "bind") && !mount.read_only && !only_read
}

/// Sockets are talked to, not written.
pub fn is_socket(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "sock")
}

/// Does a file's name say that it is configuration, whoever may write to it?
pub fn is_configuration(path: &str) -> bool {
    let path = Path::new(path);
    let extension = path.extension().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    CONFIGURATION.contains(&extension) || path.file_name().is_some_and(|name| name == "Caddyfile")
}

/// Endings of the names of files that are configuration.
const CONFIGURATION: [&str; 7] = ["conf", "cfg", "ini", "yml", "yaml", "toml", "properties"];
