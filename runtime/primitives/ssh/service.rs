use super::thing::{Made, Thing, line};
use super::{method, needs, touches_part};
use crate::drivers::ssh::quoted;
use crate::primitive::{Action, Arg, Call, Change, Effect, Failure, FailureKind, Need, Spec, Touches, Ty};

crate::options! {
    /// Options of `ssh.service`.
    pub struct Options {
        /// It must run; with `false` it must not.
        running: bool = true,
        /// It must start with the host; with `false` it must not. Without it, that is left as it is.
        enabled: Option<bool>,
        /// Start it anew even where it runs: what it was started with has changed.
        restart: bool = false,
        /// Have it read its configuration again where it runs.
        reload: bool = false,
    }
}

/// Makes sure that a systemd service runs.
pub const SERVICE: Made<Service> = Made::METHOD;

/// A service of systemd.
pub struct Service {
    name: String,
    options: Options,
}

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "service",
        &[Arg::new("name", Ty::Str, "The unit: `nginx`, `nginx.service`, `backup.timer`.")],
        "Makes sure that a service of systemd runs and starts with the host. Returns whether there was something to do.",
        r#"ssh("web-1").service("nginx", #{ enabled: true, reload: true });"#,
    )
};

impl Service {
    /// What its changes are changes of.
    fn what(&self) -> String {
        format!("service {}", self.name)
    }
}

impl Thing for Service {
    const SPEC: &'static Spec = &SPEC;

    fn wanted(call: &Call) -> Result<Self, Failure> {
        let name = call.str(0).to_owned();
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "@:._-\\".contains(c));
        if name.is_empty() || name.starts_with('-') || !is_name {
            return Err(Failure::new(FailureKind::Argument, format!("`{name}` cannot be the name of a service")));
        }
        let options: Options = call.options()?;
        if !options.running && (options.restart || options.reload) {
            return Err(Failure::new(
                FailureKind::Option,
                "a service that must not run can be neither restarted nor reloaded",
            ));
        }
        Ok(Self { name, options })
    }

    fn shown(call: &Call) -> String {
        format!("service {}", call.str(0))
    }

    fn needs(call: &Call) -> Vec<Need> {
        needs(call, [Need::command("systemctl")])
    }

    fn touches(call: &Call) -> Touches {
        touches_part(call, "services")
    }

    fn names(&self) -> Vec<String> {
        vec![self.what()]
    }

    fn look(&self) -> String {
        let name = quoted(&self.name);
        format!(
            "state=$(systemctl is-system-running 2>/dev/null) || true\n\
             case $state in ''|offline|unknown) finish failed 'no systemd runs there: `service` needs one'; exit;; esac\n\
             if systemctl show --no-pager -p LoadState,ActiveState,UnitFileState -- {name} | sed 's/=/ /'; then\n\
             finish done; else finish failed; fi"
        )
    }

    fn differs(&self, seen: &str) -> Result<Vec<Change>, Failure> {
        let what = self.what();
        let loaded = line(seen, "LoadState");
        if loaded == Some("not-found") || loaded == Some("masked") {
            let why = if loaded == Some("masked") { "is masked" } else { "is not known to systemd there" };
            // One that must not run need not be there.
            if !self.options.running && self.options.enabled != Some(true) {
                return Ok(Vec::new());
            }
            return Err(Failure::new(FailureKind::NotFound, format!("the service `{}` {why}", self.name)));
        }
        let mut change = Change::new(Action::Update, what);
        let runs = matches!(line(seen, "ActiveState"), Some("active" | "reloading" | "activating"));
        if runs != self.options.running {
            change = change.detail(if runs { "stopped" } else { "started" });
        }
        let is_enabled = line(seen, "UnitFileState").is_some_and(|state| state.starts_with("enabled"));
        // Units like sockets of a generator can be neither.
        let can_be =
            !matches!(line(seen, "UnitFileState"), Some("static" | "generated" | "indirect" | "alias" | "transient"));
        if let Some(wanted) = self.options.enabled.filter(|wanted| can_be && *wanted != is_enabled) {
            change = change.detail(if wanted { "enabled" } else { "disabled" });
        }
        Ok((!change.detail.is_empty()).then_some(change).into_iter().collect())
    }

    fn always(&self, seen: &str) -> Option<Change> {
        let runs = line(seen, "ActiveState") == Some("active");
        let change = Change::new(Action::Update, self.what());
        match (runs, self.options.restart, self.options.reload) {
            (true, true, _) => Some(change.detail("restarted")),
            (true, false, true) => Some(change.detail("reloaded")),
            _ => None,
        }
    }

    fn make(&self, seen: &str) -> String {
        let (name, options) = (quoted(&self.name), &self.options);
        let runs = line(seen, "ActiveState") == Some("active");
        let mut text = "systemctl daemon-reload\n".to_owned();
        if let Some(enabled) = options.enabled {
            text.push_str(&format!("systemctl {} -- {name}\n", if enabled { "enable" } else { "disable" }));
        }
        let verb = match (options.running, runs) {
            (false, _) => "stop",
            (true, true) if options.restart => "restart",
            (true, true) if options.reload => "reload-or-restart",
            (true, _) => "start",
        };
        text.push_str(&format!("systemctl {verb} -- {name}\n"));
        text
    }
}
