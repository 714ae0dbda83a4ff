//! The short syntax of ports: `[[IP:]HOST[-HOST]:]CONTAINER[-CONTAINER][/PROTOCOL]`.

use std::net::IpAddr;

/// One container port and where it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    pub host_ip: String,
    /// A port, a range to choose from, or nothing for any free port.
    pub published: String,
    pub target: u16,
    pub protocol: String,
}

/// All ports of an entry, in the order in which Compose lists them (by their text).
pub fn parse(text: &str) -> Result<Vec<Spec>, String> {
    let (host_ip, host, container) = split(text);
    let (container, protocol) = match container.split_once('/') {
        Some((container, protocol)) => (container, protocol.to_lowercase()),
        None => (container, "tcp".to_owned()),
    };
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("`{protocol}` is not a protocol: use tcp, udp or sctp"));
    }
    let host_ip = host_ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(host_ip);
    if !host_ip.is_empty() && host_ip.parse::<IpAddr>().is_err() {
        return Err(format!("`{host_ip}` is not an IP address"));
    }
    if container.is_empty() {
        return Err(format!("`{text}` names no container port"));
    }
    let (first, last) = range(container)?;
    let published = if host.is_empty() { None } else { Some(range(host)?) };
    if let Some((from, to)) = published
        && last != first
        && to - from != last - first
    {
        return Err(format!("the ranges `{host}` and `{container}` differ in length"));
    }
    let mut specs: Vec<Spec> = (first..=last)
        .map(|target| Spec {
            host_ip: host_ip.to_owned(),
            published: match published {
                None => String::new(),
                Some((from, to)) if first == last && from != to => format!("{from}-{to}"),
                Some((from, _)) => (from + (target - first)).to_string(),
            },
            target,
            protocol: protocol.clone(),
        })
        .collect();
    specs.sort_by_key(|spec| spec.target.to_string());
    Ok(specs)
}

fn split(text: &str) -> (&str, &str, &str) {
    let Some((rest, container)) = text.rsplit_once(':') else { return ("", "", text) };
    match rest.rsplit_once(':') {
        Some((ip, host)) => (ip, host, container),
        None => ("", rest, container),
    }
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let number = |part: &str| part.parse::<u16>().map_err(|_| format!("`{part}` is not a port"));
    let Some((from, to)) = text.split_once('-') else { return number(text).map(|port| (port, port)) };
    let (from, to) = (number(from)?, number(to)?);
    if to < from { Err(format!("the range `{text}` ends before it begins")) } else { Ok((from, to)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str) -> Result<Vec<String>, String> {
        let line = |spec: &Spec| format!("{}|{}|{}/{}", spec.host_ip, spec.published, spec.target, spec.protocol);
        parse(text).map(|specs| specs.iter().map(line).collect())
    }

    #[test]
    fn every_form_of_a_port_is_read() {
        assert_eq!(short("80").unwrap(), ["||80/tcp"]);
        assert_eq!(short("8080:80").unwrap(), ["|8080|80/tcp"]);
        assert_eq!(short("127.0.0.1:8080:80/udp").unwrap(), ["127.0.0.1|8080|80/udp"]);
        assert_eq!(short("127.0.0.1::80").unwrap(), ["127.0.0.1||80/tcp"]);
        assert_eq!(short("[::1]:8080:80").unwrap(), ["::1|8080|80/tcp"]);
        assert_eq!(short("9-10:19-20").unwrap(), ["|9|19/tcp", "|10|20/tcp"]);
        assert_eq!(short("8080-8090:80").unwrap(), ["|8080-8090|80/tcp"]);
        assert_eq!(short("9-10").unwrap(), ["||10/tcp", "||9/tcp"]);
    }

    #[test]
    fn a_wrong_port_says_what_is_wrong() {
        assert_eq!(short("80:99999").unwrap_err(), "`99999` is not a port");
        assert_eq!(short("localhost:80:80").unwrap_err(), "`localhost` is not an IP address");
        assert_eq!(short("1-3:1-2").unwrap_err(), "the ranges `1-3` and `1-2` differ in length");
        assert_eq!(short("80:80/http").unwrap_err(), "`http` is not a protocol: use tcp, udp or sctp");
        assert_eq!(short("9-8").unwrap_err(), "the range `9-8` ends before it begins");
        assert_eq!(short("80:").unwrap_err(), "`80:` names no container port");
    }
}
