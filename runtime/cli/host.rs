use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::terminal::Terminal;
use super::{CommandResult, history, places};
use crate::drivers::Drivers;
use crate::drivers::ssh::{Standing, Target};
use crate::failure::{Failure, FailureKind};
use crate::primitive::target_named;
use crate::primitives::ssh::facts_of;
use crate::project::{Host as Entry, PROJECT_FILE, ProjectFile};
use crate::report;

/// How long a host may take to be reached.
const PATIENCE: Duration = Duration::from_secs(60);

/// Add, trust, reach and list the hosts of the project.
#[derive(Subcommand)]
pub enum Host {
    /// Add a host to runbook.toml
    Add(Add),
    /// Show the key of a host, and remember it once you say that it is the right one
    Trust(Trust),
    /// Connect to hosts and say how long that took: exit code 0 when all answered
    Ping(Ping),
    /// List the hosts of the project
    List(List),
    /// Look a host over: system, memory, disks, Docker, clock, open ports, firewall
    Facts(Facts),
}

/// Add a host to runbook.toml.
#[derive(Args)]
pub struct Add {
    /// The name to use for it
    name: String,
    /// Name or address to connect to
    address: String,
    /// The user to log in as; without it the one of `~/.ssh/config`, else whoever runs this
    #[arg(long)]
    user: Option<String>,
    /// The SSH port
    #[arg(long)]
    port: Option<u16>,
    /// A private key file
    #[arg(long)]
    key: Option<String>,
    /// The host to go through
    #[arg(long)]
    jump: Option<String>,
    /// A group it belongs to; can be given more than once
    #[arg(long = "group")]
    groups: Vec<String>,
}

/// Show the key of a host and remember it.
#[derive(Args)]
pub struct Trust {
    /// The host
    name: String,
    /// Trust the key without a question if it has this fingerprint, as `ssh-keygen -l` on the host prints it
    #[arg(long, value_name = "SHA256:…")]
    fingerprint: Option<String>,
}

/// Connect to hosts.
#[derive(Args)]
pub struct Ping {
    /// Hosts or groups; all hosts of the project when left out
    names: Vec<String>,
}

/// List the hosts of the project.
#[derive(Args)]
pub struct List {
    /// Write one JSON list
    #[arg(long)]
    json: bool,
}

/// Look a host over.
#[derive(Args)]
pub struct Facts {
    /// The host
    name: String,
}

impl Host {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        let root = places::root_here()?;
        let file = ProjectFile::load(&root)?;
        match self {
            Self::Add(command) => command.run(&root, &file),
            Self::Trust(command) => command.run(&file),
            Self::Ping(command) => command.run(&file),
            Self::List(command) => command.run(&file),
            Self::Facts(command) => command.run(&file),
        }
    }
}

impl Add {
    fn run(self, root: &Path, file: &ProjectFile) -> CommandResult {
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || self.name.starts_with('-') || !self.name.chars().all(is_of_a_name) {
            let message = format!("`{}` cannot be the name of a host", self.name);
            return Err(Failure::new(FailureKind::Argument, message).hint(
                "a name has letters, digits, `-`, `_` and `.`; user, address and port have options of their own",
            ));
        }
        if file.hosts.contains_key(&self.name) {
            let message = format!("there is already a host `{}` in {PROJECT_FILE}", self.name);
            return Err(Failure::new(FailureKind::Conflict, message));
        }
        let path = root.join(PROJECT_FILE);
        let before = if path.exists() {
            std::fs::read_to_string(&path)
                .map_err(|error| Failure::system(format!("read `{}`", path.display()), &error))?
        } else {
            String::new()
        };
        let gap = if before.is_empty() || before.ends_with("\n\n") {
            ""
        } else if before.ends_with('\n') {
            "\n"
        } else {
            "\n\n"
        };
        let after = format!("{before}{gap}{}", self.entry());
        ProjectFile::parse(&after, file.name.as_str())
            .map_err(|why| Failure::new(FailureKind::Argument, format!("that would make no project file: {why}")))?;
        std::fs::write(&path, after).map_err(|error| Failure::system(format!("write `{}`", path.display()), &error))?;
        history::answer(|out| writeln!(out, "added; next: runbook host trust {}", self.name))?;
        Ok(ExitCode::SUCCESS)
    }

    fn entry(&self) -> String {
        // A point would begin a table inside of another one.
        let name = if self.name.contains('.') { format!("\"{}\"", self.name) } else { self.name.clone() };
        let mut text = format!("[host.{name}]\naddress = {}\n", toml::Value::from(self.address.as_str()));
        if let Some(port) = self.port {
            text.push_str(&format!("port = {port}\n"));
        }
        for (key, value) in [("user", &self.user), ("key", &self.key), ("jump", &self.jump)] {
            if let Some(value) = value {
                text.push_str(&format!("{key} = {}\n", toml::Value::from(value.as_str())));
            }
        }
        if !self.groups.is_empty() {
            text.push_str(&format!("groups = {}\n", toml::Value::from(self.groups.clone())));
        }
        text
    }
}

impl Trust {
    fn run(self, file: &ProjectFile) -> CommandResult {
        let target = target_named(file, &self.name)?;
        let drivers = Drivers::default();
        let key = wait(&drivers, &target, drivers.ssh().shown_key(&target))?;
        match target.standing(&key)? {
            Standing::Known => {
                history::answer(|out| writeln!(out, "{} is known by this key: {}", self.name, key.fingerprint()))?;
                return Ok(ExitCode::SUCCESS);
            }
            Standing::Refused(failure) => return Err(failure),
            Standing::New => {}
        }
        let shown = format!("{} {}", key.kind(), key.fingerprint());
        match &self.fingerprint {
            Some(fingerprint) if *fingerprint == key.fingerprint() => {}
            Some(_) => {
                let message = format!("`{}` shows another key: {shown}", self.name);
                return Err(Failure::new(FailureKind::Unauthorized, message));
            }
            None if !Terminal::is_there() => {
                let message = format!("nobody is here to say whether this is the key of `{}`: {shown}", self.name);
                return Err(Failure::new(FailureKind::Refused, message).hint(format!(
                    "compare it with the host's, then: `runbook host trust {} --fingerprint {}`",
                    self.name,
                    key.fingerprint()
                )));
            }
            None if !agrees(&self.name, &shown)? => return Ok(ExitCode::from(1)),
            None => {}
        }
        let place = target.remember(&key)?;
        history::answer(|out| writeln!(out, "{} is known from now on: {shown}, in {}", self.name, place.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Ping {
    fn run(self, file: &ProjectFile) -> CommandResult {
        let names = chosen(file, &self.names);
        let drivers = Drivers::default();
        let mut failures = Vec::new();
        let width = names.iter().map(String::len).max().unwrap_or(0);
        for name in &names {
            let began = Instant::now();
            let reached =
                target_named(file, name).and_then(|target| wait(&drivers, &target, drivers.ssh().reach(&target)));
            let answer = match &reached {
                Ok(()) => {
                    format!("ok, {}", report::elapsed(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)))
                }
                Err(_) => "no".to_owned(),
            };
            history::answer(|out| writeln!(out, "{name:width$}  {answer}"))?;
            failures.extend(reached.err());
        }
        let style = report::Style::detect();
        for failure in &failures {
            let _ = report::failure(&mut report::stderr(), failure, &[], &|_| None, style);
        }
        Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl List {
    fn run(self, file: &ProjectFile) -> CommandResult {
        let targets: Result<Vec<(&Entry, Target)>, Failure> =
            file.hosts.iter().map(|(name, entry)| Ok((entry, target_named(file, name)?))).collect();
        let targets = targets?;
        if self.json {
            let place = |target: &Target| {
                serde_json::json!({
                    "name": target.name, "address": target.address, "port": target.port, "user": target.user,
                })
            };
            let shown = |(entry, target): &(&Entry, Target)| {
                let mut shown = place(target);
                shown["jump"] = target.hops().into_iter().map(place).collect();
                shown["groups"] = serde_json::json!(entry.groups);
                shown["labels"] = serde_json::json!(entry.labels);
                shown["become"] = serde_json::json!(entry.becomes);
                shown
            };
            let all: Vec<_> = targets.iter().map(shown).collect();
            history::answer(|out| writeln!(out, "{}", serde_json::to_string_pretty(&all)?))?;
            return Ok(ExitCode::SUCCESS);
        }
        if targets.is_empty() {
            report::note("the project has no hosts: `runbook host add NAME ADDRESS` adds one");
        }
        let rows = targets.iter().map(|(entry, target)| {
            let jump = target.jump().map(|jump| format!("via {jump}")).unwrap_or_default();
            [target.name.clone(), target.spot(), jump, entry.groups.join(", ")]
        });
        let rows: Vec<[String; 4]> = rows.collect();
        let widths = [0, 1, 2].map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
        // Where no host is behind another, nothing is said of it.
        let gap = if widths[2] == 0 { "" } else { "  " };
        history::answer(|out| {
            rows.iter().try_for_each(|[name, spot, jump, groups]| {
                let line = format!("{name:0$}  {spot:1$}{gap}{jump:2$}  {groups}", widths[0], widths[1], widths[2]);
                writeln!(out, "{}", line.trim_end())
            })
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Facts {
    fn run(self, file: &ProjectFile) -> CommandResult {
        let target = target_named(file, &self.name)?;
        let drivers = Drivers::default();
        let facts = wait(&drivers, &target, facts_of(&drivers, &target))?;
        history::answer(|out| writeln!(out, "{}", serde_json::to_string_pretty(&facts)?))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The hosts that are meant: names, or all of a group.
fn chosen(file: &ProjectFile, names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return file.hosts.keys().cloned().collect();
    }
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, host) in &file.hosts {
        host.groups.iter().for_each(|group| groups.entry(group).or_default().push(name.clone()));
    }
    let all = names.iter().flat_map(|name| match groups.get(name.as_str()) {
        Some(hosts) if !file.hosts.contains_key(name) => hosts.clone(),
        _ => vec![name.clone()],
    });
    all.collect()
}

fn agrees(name: &str, shown: &str) -> Result<bool, Failure> {
    report::note(&format!("{name} shows {shown}"));
    report::note("compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host; trust it? [y/N]");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Failure::system("read the answer", &error))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn wait<T>(drivers: &Drivers, target: &Target, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let waited = drivers.block_on(async { tokio::time::timeout(PATIENCE, work).await });
    waited.unwrap_or_else(|_| {
        let message = format!("`{}`: timed out after {}", target.name, crate::units::Span(PATIENCE));
        Err(Failure::new(FailureKind::Timeout, message))
    })
}
