//! Do the parts fit: is everything that is named declared, and do settings not contradict each other?

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::application::Application;
use super::load::nowhere;
use super::node::{Content, Mark, Node, Path, Segment};
use super::problem::{Problem, Problems};
use super::service::{Mount, Service};
use crate::failure::nearest;

/// Checks the active services; returns what they ask for and would not get here, by service.
pub(super) fn check(application: &Application, whole: &Node, problems: &Problems) -> BTreeMap<String, Vec<Problem>> {
    let mut unmet = BTreeMap::new();
    for service in application.services.values() {
        let check = Check { application, service, whole, problems, unmet: RefCell::default() };
        check.image();
        check.networks();
        check.dependencies();
        check.mounts();
        check.files();
        check.build();
        check.models();
        check.scale();
        check.limits();
        unmet.insert(service.name.clone(), check.unmet.into_inner());
    }
    if let Some(circle) = super::order::circle(&application.services) {
        let path = Path::of(&["services", &circle[0], "depends_on"]);
        let message = format!("the services depend on each other in a circle: {}", circle.join(" -> "));
        problems.error(Problem::at(&place(whole, &path, None), &path, message));
    }
    unmet
}

/// The mark of the key at the end of a path, or of as much of the path as was written.
pub(super) fn place(whole: &Node, path: &Path, item: Option<usize>) -> Mark {
    let mut node = Some(whole);
    let mut mark = nowhere();
    for segment in path.segments() {
        let Segment::Key(key) = segment else { break };
        let entry = node.and_then(Node::as_map).and_then(|map| map.0.iter().find(|entry| entry.key == *key));
        let Some(entry) = entry else { return mark };
        mark = entry.mark.clone();
        node = Some(&entry.value);
    }
    match (item, node.map(|node| &node.content)) {
        (Some(index), Some(Content::List(items))) => items.get(index).map_or(mark, |item| item.mark.clone()),
        _ => mark,
    }
}

struct Check<'a> {
    application: &'a Application,
    service: &'a Service,
    whole: &'a Node,
    problems: &'a Problems,
    unmet: RefCell<Vec<Problem>>,
}

impl Check<'_> {
    fn image(&self) {
        let node = self.whole.get("services").and_then(|services| services.get(&self.service.name));
        let written = |key| node.and_then(|node| node.get(key)).filter(|node| node.content != Content::Null);
        // What was written and could not be read was reported already.
        let reported = written("image").is_some_and(|image| image.as_text().is_none())
            || written("build").is_some()
            || written("provider").is_some();
        if self.service.image.is_empty() && self.service.build.is_none() && !reported {
            self.error(&[], None, "has neither an image nor a build", Some("add `image: …` or `build: …`".into()));
        }
        let Some(build) = &self.service.build else { return };
        if !build.platforms.is_empty()
            && !self.service.platform.is_empty()
            && !build.platforms.contains(&self.service.platform)
        {
            let message = format!("does not include the service's platform `{}`", self.service.platform);
            self.error(&["build", "platforms"], None, message, None);
        }
    }

    fn networks(&self) {
        for (key, attachment) in &self.service.networks {
            let attachment = attachment.clone().unwrap_or_default();
            let unmet = |name, what| self.unmet(&["networks", key, name], None, what, "remove the key");
            if attachment.gw_priority != 0 {
                unmet("gw_priority", "chooses the network of the default gateway, which is not supported");
            }
            if !attachment.interface_name.is_empty() {
                unmet("interface_name", "names the interface in the container, which is not supported");
            }
        }
        if !self.service.network_mode.is_empty() && !self.service.networks.is_empty() {
            self.error(&["network_mode"], None, "`network_mode` and `networks` exclude each other", None);
        }
        for key in self.service.networks.keys() {
            if key.starts_with("x-") {
                let message = format!("`{key}` is read as an extension, not as the name of a network");
                self.error(&["networks", key], None, message, Some("give the network another name".into()));
            } else if !self.application.networks.contains_key(key) {
                let message = format!("the network `{key}` is not declared");
                let hint = suggestion(key, &self.application.networks, "networks");
                self.error(&["networks", key], None, message, Some(hint));
            } else if self.application.networks.get(key).is_some_and(|network| network.name.is_empty()) {
                self.unmet(&["networks", key], None, "the network has an empty name", GIVE_A_NAME);
            }
        }
    }

    fn dependencies(&self) {
        for (name, dependency) in &self.service.depends_on {
            // One that is written and could not be read was reported there.
            let is_written = self.whole.get("services").is_some_and(|services| services.get(name).is_some());
            let is_disabled = self.application.disabled.contains_key(name);
            if self.application.services.contains_key(name) || (is_written && !is_disabled) {
                continue;
            }
            match self.application.disabled.get(name) {
                Some(_) if !dependency.required => {}
                Some(other) => self.error(
                    &["depends_on", name],
                    None,
                    format!("the service `{name}` is not active"),
                    Some(format!(
                        "activate the profile `{}`, or write `required: false`",
                        other.profiles.join("` or `")
                    )),
                ),
                None => {
                    let names: Vec<&str> = self.application.services.keys().map(String::as_str).collect();
                    let hint = nearest(name, names.iter().copied()).map(|name| format!("did you mean `{name}`?"));
                    self.error(&["depends_on", name], None, format!("there is no service `{name}`"), hint);
                }
            }
        }
    }

    fn mounts(&self) {
        let mut targets: BTreeMap<&str, String> = BTreeMap::new();
        for (index, tmpfs) in self.service.tmpfs.iter().enumerate() {
            let target = tmpfs.split(':').next().unwrap_or_default();
            if let Some(other) = targets.insert(target, format!("tmpfs[{index}]")) {
                self.error(&["tmpfs"], Some(index), format!("`{target}` is mounted already by {other}"), None);
            }
        }
        for (index, mount) in self.service.volumes.iter().enumerate() {
            if let Some(other) = targets.insert(&mount.target, format!("volumes[{index}]")) {
                let message = format!("`{}` is mounted already by {other}", mount.target);
                self.error(&["volumes"], Some(index), message, None);
            }
            self.mount(index, mount);
            let named = mount.kind == "volume" && !mount.source.is_empty();
            if named && !self.application.volumes.contains_key(&mount.source) {
                let message = format!("the volume `{}` is not declared", mount.source);
                let hint = suggestion(&mount.source, &self.application.volumes, "volumes");
                self.error(&["volumes"], Some(index), message, Some(hint));
            }
        }
    }

    /// What the engines this runs on cannot mount.
    fn mount(&self, index: usize, mount: &Mount) {
        let (target, at) = (mount.target.as_str(), Some(index));
        let unmet = |message: String, hint: &str| self.unmet(&["volumes"], at, message, hint);
        if matches!(mount.kind.as_str(), "npipe" | "cluster" | "image") {
            unmet(format!("a mount of type `{}` is not supported", mount.kind), "use a volume, a bind or a tmpfs");
        } else if is_windows(target) {
            let message = format!("`{target}` is a Windows path, which is not supported");
            unmet(message, "if the letter before the colon is the name of a volume, give it a longer one");
        } else if is_windows(&mount.source) {
            unmet(format!("`{}` is a Windows path, which is not supported", mount.source), "use a path of this host");
        } else if !target.starts_with('/') {
            unmet(format!("`{target}` is not an absolute path"), "paths in a container begin with `/`");
        }
        if let Some(options) = &mount.bind {
            if !matches!(options.recursive.as_str(), "" | "enabled") {
                let message =
                    format!("`recursive: {}` is not supported: mounts below it are mounted too", options.recursive);
                unmet(message, "remove the key, or mount a folder that has no other mounts below it");
            }
            if !options.selinux.is_empty() && !options.create_host_path {
                let message = "`selinux` and `create_host_path: false` are not supported together".to_owned();
                unmet(message, "remove one of them");
            }
        }
        let volume = self.application.volumes.get(&mount.source).filter(|_| mount.kind == "volume");
        if volume.is_some_and(|volume| volume.name.is_empty()) {
            unmet(format!("the volume `{}` has an empty name", mount.source), GIVE_A_NAME);
        }
    }

    /// What the image is built from.
    fn build(&self) {
        let Some(build) = &self.service.build else { return };
        for (name, context) in &build.additional_contexts {
            let Some(other) = context.strip_prefix("service:") else { continue };
            let services = &self.application.services;
            let service = services.get(other).or_else(|| self.application.disabled.get(other));
            if service.is_none_or(|service| service.build.is_none()) {
                let message = format!("there is no service `{other}` with a `build`");
                self.error(&["build", "additional_contexts", name], None, message, None);
            }
        }
        for (index, secret) in build.secrets.iter().enumerate() {
            if !self.application.secrets.contains_key(&secret.source) && !secret.source.is_empty() {
                let message = format!("`{}` is not declared", secret.source);
                let hint = suggestion(&secret.source, &self.application.secrets, "secrets");
                self.error(&["build", "secrets"], Some(index), message, Some(hint));
            }
        }
    }

    fn models(&self) {
        for key in self.service.models.keys() {
            if !self.application.models.contains_key(key) {
                let message = format!("the model `{key}` is not declared");
                let hint = suggestion(key, &self.application.models, "models");
                self.error(&["models", key], None, message, Some(hint));
            }
        }
    }

    fn files(&self) {
        for (key, files, declared) in [
            ("configs", &self.service.configs, &self.application.configs),
            ("secrets", &self.service.secrets, &self.application.secrets),
        ] {
            for (index, file) in files.iter().enumerate() {
                let section = self.whole.get(key).and_then(|section| section.get(&file.source));
                // One that was declared and is wrong was reported there.
                let object = declared.get(&file.source);
                for unmet in object.map(|object| object.unmet.as_slice()).unwrap_or_default() {
                    self.unmet.borrow_mut().push(unmet.clone());
                }
                if let Some(variable) = object.map(|object| &object.environment).filter(|name| !name.is_empty())
                    && object.is_some_and(|object| object.value.is_none())
                {
                    let message =
                        format!("the variable `{variable}`, which `{}` is taken from, is not set", file.source);
                    self.error(&[key], Some(index), message, Some(format!("set {variable} in the environment file")));
                }
                if object.is_none() && section.is_none() && !file.source.is_empty() {
                    let message = format!("`{}` is not declared", file.source);
                    let hint = suggestion(&file.source, declared, key);
                    self.error(&[key], Some(index), message, Some(hint));
                }
            }
        }
    }

    fn scale(&self) {
        let replicas = self.service.deploy.as_ref().and_then(|deploy| deploy.replicas);
        if let (Some(scale), Some(replicas)) = (self.service.scale, replicas)
            && scale != replicas
        {
            self.error(&["scale"], None, format!("is {scale} where `deploy.replicas` is {replicas}"), None);
        }
        for (path, number) in [(["scale"].as_slice(), self.service.scale), (&["deploy", "replicas"], replicas)] {
            if number.is_some_and(|number| number < 0) {
                self.error(path, None, "must not be negative", None);
            }
        }
        if self.service.replicas() > 1 && !self.service.container_name.is_empty() {
            let message = format!("only one container can have a name, and there are {}", self.service.replicas());
            self.error(&["container_name"], None, message, Some("remove `container_name` or the replicas".into()));
        }
    }

    fn limits(&self) {
        let resources = self.service.deploy.as_ref().map(|deploy| &deploy.resources);
        let limits = resources.and_then(|resources| resources.limits.clone());
        let reservations = resources.and_then(|resources| resources.reservations.clone());
        if let Some(limits) = limits {
            let differ = |one: f64, other: f64| one != 0.0 && (one - other).abs() > f64::EPSILON;
            if differ(self.service.cpus, limits.cpus) {
                self.contradiction("cpus", "deploy.resources.limits.cpus");
            }
            if self.service.mem_limit != 0 && self.service.mem_limit != limits.memory {
                self.contradiction("mem_limit", "deploy.resources.limits.memory");
            }
            if self.service.pids_limit != 0 && self.service.pids_limit != limits.pids {
                self.contradiction("pids_limit", "deploy.resources.limits.pids");
            }
        }
        if let Some(reservations) = reservations
            && self.service.mem_reservation != 0
            && self.service.mem_reservation != reservations.memory
        {
            self.contradiction("mem_reservation", "deploy.resources.reservations.memory");
        }
    }

    fn contradiction(&self, key: &str, other: &str) {
        self.error(&[key], None, format!("contradicts `{other}`"), Some("write one of them".into()));
    }

    fn unmet(&self, keys: &[&str], item: Option<usize>, message: impl Into<String>, hint: &str) {
        self.unmet.borrow_mut().push(self.problem(keys, item, message).hint(hint));
    }

    fn error(&self, keys: &[&str], item: Option<usize>, message: impl Into<String>, hint: Option<String>) {
        let problem = self.problem(keys, item, message);
        self.problems.error(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }

    fn problem(&self, keys: &[&str], item: Option<usize>, message: impl Into<String>) -> Problem {
        let path = keys.iter().fold(Path::of(&["services", &self.service.name]), |path, key| path.key(key));
        let mark = place(self.whole, &path, item);
        let path = item.map_or(path.clone(), |index| path.index(index));
        Problem::at(&mark, &path, message)
    }
}

const GIVE_A_NAME: &str = "give it a name, or remove `name`: then it is named after the project";

/// `C:\data`, `c:/data` or `\\.\pipe\x`.
fn is_windows(path: &str) -> bool {
    let bytes = path.as_bytes();
    path.starts_with('\\') || (bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1) == Some(&b':'))
}

/// What to do about a name that is not declared: the like one, or a declaration.
fn suggestion<T>(name: &str, declared: &BTreeMap<String, T>, section: &str) -> String {
    let names: Vec<&str> = declared.keys().map(String::as_str).collect();
    match nearest(name, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("add `{name}:` under `{section}:` at the top of the file"),
    }
}
