use std::collections::BTreeSet;
use std::time::Duration;

use super::thing::{Made, Thing, line, lines};
use super::{method, needs, touches_part};
use crate::drivers::ssh::quoted;
use crate::primitive::{Action, Arg, Call, Change, Effect, Failure, FailureKind, Need, Span, Spec, Touches, Ty};

crate::options! {
    /// Options of `ssh.firewall`.
    pub struct Options {
        /// It must be on; with `false` the rules are made and it is left as it is.
        enabled: bool = true,
        /// What becomes of what no rule names: `"deny"`, `"reject"` or `"allow"`.
        incoming: String = "deny".into(),
        /// Remove the rules that are not named here.
        only: bool = false,
        /// When the host takes the change back, unless a new connection to it succeeds.
        revert_after: Span = Span::seconds(120),
    }
}

/// Makes sure that the firewall lets this in, and nothing else.
pub const FIREWALL: Made<Firewall> = Made::METHOD;

/// The rules of `ufw`.
pub struct Firewall {
    allow: Vec<String>,
    options: Options,
}

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "firewall",
        &[Arg::new("allow", Ty::Strings, "What is let in: `\"443/tcp\"`, `\"53\"`, `\"5432/tcp from 10.0.0.0/8\"`.")],
        "Makes sure that the firewall of the host (`ufw`) is on and lets these in. Returns whether there was something to do.",
        r#"ssh("web-1").firewall(["22/tcp", "80/tcp", "443/tcp"]);"#,
    )
};

impl Thing for Firewall {
    const SPEC: &'static Spec = &SPEC;

    fn wanted(call: &Call) -> Result<Self, Failure> {
        let options: Options = call.options()?;
        if !["deny", "reject", "allow"].contains(&options.incoming.as_str()) {
            return Err(Failure::new(
                FailureKind::Option,
                "option `incoming` must be \"deny\", \"reject\" or \"allow\"",
            ));
        }
        let allow = call.strings(0).iter().map(|text| rule(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { allow, options })
    }

    fn shown(call: &Call) -> String {
        format!("firewall, open to {}", call.strings(0).join(", "))
    }

    fn needs(call: &Call) -> Vec<Need> {
        needs(call, [Need::command("ufw")])
    }

    fn touches(call: &Call) -> Touches {
        touches_part(call, "firewall")
    }

    fn names(&self) -> Vec<String> {
        vec!["firewall".to_owned()]
    }

    /// `ufw show added` tells the rules whether it is on or off. The port of this very connection comes along; behind `sudo`
    /// only the process of that still knows it.
    fn look(&self) -> String {
        "PATH=$PATH:/usr/sbin:/sbin\ncommand -v ufw >/dev/null || lacks ufw\n\
         if status=$(ufw status 2>&1); then printf '%s\\n' \"$status\" | sed -n 's/^Status: /status /p'\n\
         else finish failed \"$status\"; exit; fi\n\
         ufw show added | sed -n 's/^ufw /rule /p'\n\
         sed -n 's/^DEFAULT_INPUT_POLICY=\"*\\([A-Z]*\\).*/incoming \\1/p' \"${UFW_DEFAULTS:-/etc/default/ufw}\" 2>/dev/null\n\
         set -- ${SSH_CONNECTION:-$(tr '\\0' '\\n' </proc/$PPID/environ 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')}\n\
         printf 'port %s\\n' \"${4:-}\"\nfinish done"
            .to_owned()
    }

    fn differs(&self, seen: &str) -> Result<Vec<Change>, Failure> {
        self.keeps_the_way_in(seen)?;
        let mut change = Change::new(Action::Update, "firewall");
        for rule in self.missing(seen) {
            change = change.detail(format!("rule: {rule}"));
        }
        for rule in self.surplus(seen) {
            change = change.detail(format!("no longer: {rule}"));
        }
        let now = policy(line(seen, "incoming").unwrap_or_default());
        if now != self.options.incoming {
            change = change.detail(format!("incoming: {now} → {}", self.options.incoming));
        }
        if self.options.enabled && line(seen, "status") != Some("active") {
            change = change.detail("on");
        }
        Ok((!change.detail.is_empty()).then_some(change).into_iter().collect())
    }

    /// What lets in comes first, so that no moment is without the way that this connection came.
    fn make(&self, seen: &str) -> String {
        let mut text = "PATH=$PATH:/usr/sbin:/sbin\n".to_owned();
        self.missing(seen).iter().for_each(|rule| text.push_str(&format!("ufw {rule}\n")));
        self.surplus(seen).iter().for_each(|rule| text.push_str(&format!("ufw --force delete {rule}\n")));
        if policy(line(seen, "incoming").unwrap_or_default()) != self.options.incoming {
            text.push_str(&format!("ufw default {} incoming\n", self.options.incoming));
        }
        if self.options.enabled {
            text.push_str("ufw --force enable\n");
        }
        text
    }

    fn armed(&self, seen: &str) -> Option<(String, Duration)> {
        let mut text = "PATH=$PATH:/usr/sbin:/sbin\n".to_owned();
        if line(seen, "status") != Some("active") {
            text.push_str("ufw --force disable\n");
        }
        let before = policy(line(seen, "incoming").unwrap_or_default());
        if before != self.options.incoming {
            text.push_str(&format!("ufw default {before} incoming\n"));
        }
        self.surplus(seen).iter().for_each(|rule| text.push_str(&format!("ufw {rule}\n")));
        self.missing(seen).iter().for_each(|rule| text.push_str(&format!("ufw --force delete {rule}\n")));
        Some((text, self.options.revert_after.0.max(Duration::from_secs(10))))
    }
}

impl Firewall {
    fn missing(&self, seen: &str) -> Vec<&str> {
        let has: BTreeSet<&str> = lines(seen, "rule").collect();
        self.allow.iter().map(String::as_str).filter(|rule| !has.contains(rule)).collect()
    }

    fn surplus<'a>(&self, seen: &'a str) -> Vec<&'a str> {
        lines(seen, "rule")
            .filter(|rule| self.options.only && !self.allow.iter().any(|wanted| wanted == rule))
            .collect()
    }

    /// Whoever locks the door stands outside.
    fn keeps_the_way_in(&self, seen: &str) -> Result<(), Failure> {
        if !self.options.enabled || self.options.incoming == "allow" {
            return Ok(());
        }
        let Some(port) = line(seen, "port").filter(|port| !port.is_empty()) else { return Ok(()) };
        let surplus = self.surplus(seen);
        let stays = lines(seen, "rule").filter(|rule| !surplus.contains(rule));
        let opens = |rule: &str| {
            let mut words = rule.split(' ');
            let verb = words.next().unwrap_or_default();
            let named = |word: &str| {
                word == port
                    || word.strip_suffix("/tcp") == Some(port)
                    || word == "OpenSSH" && port == "22"
                    || word == "ssh" && port == "22"
            };
            matches!(verb, "allow" | "limit") && words.any(named)
        };
        if stays.chain(self.allow.iter().map(String::as_str)).any(opens) {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Refused,
            format!("the firewall would shut out this very connection, to port {port}"),
        )
        .hint(format!("let it in as well: \"{port}/tcp\"")))
    }
}

/// The word of `ufw` for what its configuration says.
fn policy(configured: &str) -> &'static str {
    match configured {
        "ACCEPT" => "allow",
        "REJECT" => "reject",
        _ => "deny",
    }
}

/// A rule as `ufw show added` prints it.
fn rule(text: &str) -> Result<String, Failure> {
    let wrong = || {
        Failure::new(FailureKind::Argument, format!("`{text}` is no rule of a firewall"))
            .hint("write a port, as in \"443/tcp\" or \"53\", and who may come, as in \"5432/tcp from 10.0.0.0/8\"")
    };
    let (port, from) = text.split_once(" from ").map_or((text, None), |(port, from)| (port, Some(from.trim())));
    let (number, protocol) = port.trim().split_once('/').map_or((port.trim(), None), |(number, of)| (number, Some(of)));
    let is_range =
        number.split(':').count() <= 2 && number.split(':').all(|part| part.parse::<u16>().is_ok_and(|port| port > 0));
    if !is_range || protocol.is_some_and(|protocol| !["tcp", "udp"].contains(&protocol)) {
        return Err(wrong());
    }
    let Some(from) = from else {
        return Ok(format!("allow {number}{}", protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default()));
    };
    let address = from.split_once('/').map_or(from, |(address, _)| address);
    let bits = from.split_once('/').map_or(Ok(0), |(_, bits)| bits.parse::<u8>());
    if address.parse::<std::net::IpAddr>().is_err() || bits.is_err() {
        return Err(wrong());
    }
    let protocol = protocol.map(|protocol| format!(" proto {protocol}")).unwrap_or_default();
    Ok(format!("allow from {} to any port {number}{protocol}", quoted(from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_as_ufw_prints_them() {
        let written = |text| rule(text).unwrap();
        assert_eq!(written("443/tcp"), "allow 443/tcp");
        assert_eq!(written("53"), "allow 53");
        assert_eq!(written("6000:6010/udp"), "allow 6000:6010/udp");
        assert_eq!(written("5432/tcp from 10.0.0.0/8"), "allow from 10.0.0.0/8 to any port 5432 proto tcp");
        for wrong in ["", "0", "http", "70000", "22/icmp", "22 from here", "22; reboot", "1:2:3"] {
            assert!(rule(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_is_locked_out() {
        let firewall = |allow: &[&str], only| Firewall {
            allow: allow.iter().map(|text| rule(text).unwrap()).collect(),
            options: Options { only, ..Options::default() },
        };
        let seen = "status inactive\nrule allow 2222/tcp\nport 2222\n";
        assert!(firewall(&["80"], false).differs(seen).is_ok());
        assert!(firewall(&["80"], true).differs(seen).unwrap_err().message.contains("port 2222"));
        assert!(firewall(&["80", "2222"], true).differs(seen).is_ok());
        assert!(firewall(&["80", "22"], false).differs("status active\nport 2222\n").is_err());
    }
}
