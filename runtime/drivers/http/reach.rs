//! Where a request may lead: never to the services that hand out a machine's credentials, and to private networks only
//! where that is meant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Address;
use crate::failure::{Failure, FailureKind};

/// Who is asked before a request goes out, at each hop of a chain of redirects.
pub trait Gate: Sync {
    /// May this address be asked?
    fn may_ask(&self, address: &Address) -> Result<(), Failure>;
    /// Is this host (a name, or an address as in a URL) named by whoever decides, so that it may lie in a private network?
    fn names(&self, host: &str) -> bool;
}

/// What an address is to those who ask it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Anybody's.
    Public,
    /// Of this machine, a private network, or for a special use.
    Private,
    /// Where clouds hand out the credentials of a machine, and everything else that is local to its link.
    Metadata,
}

/// Addresses of metadata services outside of the local link.
const METADATA_V4: &[Ipv4Addr] =
    &[Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

impl Range {
    /// The range of an address; one that carries an IPv4 address is what that is.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match carried(address) {
                Some(carried) => Self::of_v4(carried),
                None => Self::of_v6(address),
            },
        }
    }

    /// The special-purpose addresses of RFC 6890 and the registry it set up.
    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, c, _] = address.octets();
        if address.is_link_local() || METADATA_V4.contains(&address) {
            return Self::Metadata;
        }
        let special = matches!(
            (a, b, c),
            (0 | 10 | 127 | 224..=255, _, _)
                | (100, 64..=127, _)
                | (172, 16..=31, _)
                | (192, 0, 0 | 2)
                | (192, 88, 99)
                | (192, 168, _)
                | (198, 18 | 19, _)
                | (198, 51, 100)
                | (203, 0, 113)
        );
        if special { Self::Private } else { Self::Public }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if METADATA_V6.contains(&address) || address.segments()[..7] == [0xfe80, 0, 0, 0, 0, 0, 0xa9fe] {
            return Self::Metadata;
        }
        // All that is given out is in 2000::/3, apart from a few special blocks in it.
        let first = address.segments()[0];
        let is_special = match first {
            0x2001 => matches!(address.segments()[1], 0..0x200 | 0x0db8),
            _ => first == 0x3fff,
        };
        if (0x2000..0x4000).contains(&first) && !is_special { Self::Public } else { Self::Private }
    }
}

/// The IPv4 address inside of an IPv6 one: mapped, compatible, translated (RFC 6052, RFC 8215), 6to4 or Teredo.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let of = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0 | 1, .., high, low]
        | [0x2002, high, low, ..] => of(high, low),
        [0x2001, 0, .., high, low] => of(!high, !low),
        _ => None,
    }
}

/// Refuses to connect to an address for the sake of this URL.
pub(super) fn check(url: &Address, address: IpAddr, is_named: bool) -> Result<(), Failure> {
    let refuse = |what: &str, hint: &str| {
        let target = if url.host().trim_matches(['[', ']']) == address.to_string() {
            String::new()
        } else {
            format!(", which is at `{address}`,")
        };
        let message = format!("`{url}` is not asked: `{}`{target} is {what}", url.host());
        Err(Failure::new(FailureKind::Refused, message).hint(hint))
    };
    match Range::of(address) {
        Range::Metadata => refuse(
            "an address where clouds hand out credentials",
            "no runbook needs to ask there; give it what it needs as a secret",
        ),
        Range::Private if !is_named => refuse(
            "in a private network, and nothing names this host",
            "name it without a star where that is meant: `//! @needs http http://HOST:PORT`",
        ),
        Range::Private | Range::Public => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_a_range() {
        for (text, range) in [
            ("1.1.1.1", Range::Public),
            ("2606:4700::1111", Range::Public),
            ("169.254.169.254", Range::Metadata),
            ("::ffff:169.254.169.254", Range::Metadata),
            ("64:ff9b::a9fe:a9fe", Range::Metadata),
            ("2002:a9fe:a9fe::1", Range::Metadata),
            ("fd00:ec2::254", Range::Metadata),
            ("100.100.100.200", Range::Metadata),
            ("127.0.0.1", Range::Private),
            ("::1", Range::Private),
            ("::", Range::Private),
            ("::ffff:10.0.0.1", Range::Private),
            ("::10.0.0.1", Range::Private),
            ("fd12::1", Range::Private),
            ("100.64.0.1", Range::Private),
            ("172.15.0.1", Range::Public),
            ("172.31.255.255", Range::Private),
            ("2001:db8::1", Range::Private),
            ("ff02::1", Range::Private),
        ] {
            assert_eq!(Range::of(text.parse().unwrap()), range, "{text}");
        }
    }
}
