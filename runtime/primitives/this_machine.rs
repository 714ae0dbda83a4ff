use std::thread::available_parallelism;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::primitive::{Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Touches};

/// `this_machine()`: facts about the machine that `runbook` runs on.
pub struct ThisMachine;

static SPEC: Spec = Spec {
    name: "this_machine",
    receiver: None,
    args: &[],
    options: None,
    returns: None,
    effect: Effect::Read,
    summary: "Facts about the machine that the runbook runs on: name, user, system, processors, memory.",
    example: "if this_machine().arch != \"x86_64\" { warn(\"the images are built for x86_64\") }",
};

impl Primitive for ThisMachine {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, _context: &Context<'_>, _call: &Call) -> Result<Outcome, Failure> {
        let system = rustix::system::uname();
        let hostname = system.nodename().to_string_lossy().into_owned();
        let zone = TimeZone::system();
        let value = json!({
            "hostname": hostname,
            "user": user(),
            "os": std::env::consts::OS,
            "distribution": distribution(&read("/etc/os-release")),
            "kernel": system.release().to_string_lossy(),
            "arch": std::env::consts::ARCH,
            "cpus": available_parallelism().map_or(1, std::num::NonZero::get),
            "memory": memory(&read("/proc/meminfo")),
            "time_zone": zone.iana_name(),
        });
        Ok(Outcome::from(value).note(hostname))
    }

    fn touches(&self, _context: &Context<'_>, _call: &Call) -> Touches {
        Touches::Nothing
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The name of whoever this process runs as; the number where the machine knows no name.
fn user() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    named(&read("/etc/passwd"), &uid).or_else(|| std::env::var("USER").ok()).unwrap_or(uid)
}

fn named(accounts: &str, uid: &str) -> Option<String> {
    let mut lines = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|fields| fields.get(2) == Some(&uid))?.first().map(|&name| name.to_owned())
}

fn distribution(release: &str) -> Option<String> {
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches(['"', '\'']).to_owned())
}

/// Of the machine, in bytes; `None` where nothing tells it.
fn memory(table: &str) -> Option<Value> {
    let line = table.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kibibytes * 1024).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_the_system_writes_them() {
        assert_eq!(named("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\n", "1000").as_deref(), Some("ann"));
        assert_eq!(named("root:x:0:0::/root:/bin/sh\n", "7"), None);
        let release = "NAME=Debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n";
        assert_eq!(distribution(release).as_deref(), Some("Debian GNU/Linux 12"));
        assert_eq!(memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some((2_048 * 1_024).into()));
        assert_eq!(memory(""), None);
    }
}
