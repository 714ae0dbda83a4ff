use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{ANSWER, method, needs, target, told, user};
use crate::drivers::Drivers;
use crate::drivers::ssh::{Script, Target};
use crate::primitive::{Call, Context, Failure, Need, Outcome, Primitive, Spec, Touches};

/// Looks a host over.
pub struct Facts;

static SPEC: Spec = method(
    "facts",
    &[],
    "Facts about the host: system, memory, disks, Docker, clock, open ports, firewall.",
    r#"let facts = ssh("web-1").facts(); info(`${facts.os}, Docker ${facts.docker}`);"#,
);

/// Each fact on a line of its own, `name value`; what a host does not tell is left out.
const LOOK: &str = r#"
say() { [ -n "$2" ] && printf '%s %s\n' "$1" "$2"; }
say hostname "$(uname -n)"
say kernel "$(uname -r)"
say arch "$(uname -m)"
say os "$(. /etc/os-release 2>/dev/null && printf %s "$PRETTY_NAME")"
say user "$(id -un)"
say cpus "$({ getconf _NPROCESSORS_ONLN || nproc; } 2>/dev/null)"
say uptime "$(cut -d . -f 1 /proc/uptime)"
say time "$(date +%s)"
sed -n 's/^\(MemTotal\|MemAvailable\|SwapTotal\): *\([0-9]*\) kB/\1 \2/p' /proc/meminfo
say init "$([ -d /run/systemd/system ] && echo systemd)"
say docker "$(timeout 5 docker version --format '{{.Server.Version}}' 2>/dev/null)"
df -Pk 2>/dev/null | sed -n 's/^\/dev\//disk &/p'
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | sed -n 's/^ *[0-9]*: [0-9A-F]*:\([0-9A-F]*\) [0-9A-F]*:[0-9A-F]* 0A .*/port \1/p'
say firewall "$({ ufw status || sudo -n ufw status; } 2>/dev/null | sed -n 's/^Status: //p')"
finish done
"#;

impl Primitive for Facts {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, "facts")
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let target = target(context, call)?;
        let what = format!("looking `{}` over", target.name);
        let facts = context.wait(&what, ANSWER, look(context.drivers, &target, user(call)))?;
        let note = facts.get("os").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Outcome::from(facts).note(note))
    }

    fn touches(&self, _: &Context<'_>, _: &Call) -> Touches {
        Touches::Anything
    }

    /// Time, free memory and space change by themselves.
    fn observed(&self, _call: &Call, result: &Value) -> Value {
        let mut result = result.clone();
        if let Some(facts) = result.as_object_mut() {
            facts.retain(|name, _| !matches!(name.as_str(), "uptime" | "clock_skew" | "memory_available" | "disks"));
        }
        result
    }
}

/// Asks a host for its facts.
pub async fn look(drivers: &Drivers, target: &Target, user: Option<&str>) -> Result<Value, Failure> {
    let script = Script::new(LOOK).run_by(user);
    let (answer, _) = drivers.ssh().ask(target, &script, 256 << 10).await?;
    Ok(read(&String::from_utf8_lossy(&answer), Timestamp::now().as_second()))
}

/// The facts of a host, from the lines of the script above; `now` is this machine's time.
fn read(answer: &str, now: i64) -> Value {
    let (mut facts, mut disks, mut ports) = (Map::new(), Vec::new(), Vec::new());
    for (name, rest) in answer.lines().filter_map(|line| line.split_once(' ')) {
        let kibibytes = || rest.parse::<u64>().ok().map(|size| size << 10);
        match name {
            "hostname" | "kernel" | "arch" | "os" | "user" | "init" | "docker" | "firewall" => {
                facts.insert(name.into(), rest.into());
            }
            "cpus" | "uptime" => {
                facts.insert(name.into(), rest.parse::<u64>().ok().into());
            }
            "time" => {
                facts.insert("clock_skew".into(), rest.parse::<i64>().ok().map(|time| time - now).into());
            }
            "MemTotal" => drop(facts.insert("memory".into(), kibibytes().into())),
            "MemAvailable" => drop(facts.insert("memory_available".into(), kibibytes().into())),
            "SwapTotal" => drop(facts.insert("swap".into(), kibibytes().into())),
            "disk" => disks.extend(disk(rest)),
            // As the kernel writes it.
            "port" => ports.extend(u64::from_str_radix(rest, 16).ok()),
            _ => {}
        }
    }
    ports.sort_unstable();
    ports.dedup();
    facts.insert("disks".into(), disks.into());
    facts.insert("ports".into(), ports.into());
    // What a host does not tell is nothing, and not an error for whoever asks.
    for name in
        ["os", "init", "docker", "firewall", "cpus", "memory", "memory_available", "swap", "clock_skew", "uptime"]
    {
        facts.entry(name).or_insert(Value::Null);
    }
    Value::Object(facts)
}

fn disk(line: &str) -> Option<Value> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |index: usize| words.get(index)?.parse::<u64>().ok().map(|size| size << 10);
    Some(json!({ "device": words.first()?, "total": number(1)?, "free": number(3)?, "mount": words.get(5)? }))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_a_host_tells_is_read_and_what_it_does_not_is_nothing() {
        let facts = read(
            "hostname web-1\nos Debian GNU/Linux 12 (bookworm)\ntime 1000\nMemTotal 2048\nnonsense\n\
             disk /dev/vda1 100 40 60 40% /\nport 01BB\nport 0016\nport 0016\n",
            990,
        );
        assert_eq!((&facts["clock_skew"], &facts["memory"]), (&10.into(), &(2048 << 10).into()));
        assert_eq!(facts["disks"][0]["free"], 60 << 10);
        assert_eq!(facts["ports"], serde_json::json!([22, 443]));
        assert!(facts["docker"].is_null() && facts["firewall"].is_null());
    }
}
