//! Which addresses a request may go to whose URL a tenant wrote: those of the public internet, and what the installation
//! allows. Names resolve to whatever their owner wants, so what counts is the address, and the connection goes to the very
//! one that was looked at ([`Egress::resolver`]).

mod resolver;

pub use resolver::{Resolver, is_refusal};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 ranges that are not the public internet (IANA's registry of special-purpose addresses, and multicast).
const V4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];
/// What is public of IPv6 is within `2000::/3`; these parts of it are not: protocol assignments (Teredo among them),
/// documentation, and 6to4, which leads to any IPv4 address.
const V6: [([u16; 8], u8); 4] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

static SPECIAL_V4: LazyLock<Vec<Ipv4Net>> =
    LazyLock::new(|| V4.iter().map(|(start, length)| Ipv4Net::new_assert(Ipv4Addr::from(*start), *length)).collect());
static SPECIAL_V6: LazyLock<Vec<Ipv6Net>> =
    LazyLock::new(|| V6.iter().map(|(start, length)| Ipv6Net::new_assert(Ipv6Addr::from(*start), *length)).collect());
static GLOBAL_V6: LazyLock<Ipv6Net> =
    LazyLock::new(|| Ipv6Net::new_assert(Ipv6Addr::from([0x2000, 0, 0, 0, 0, 0, 0, 0]), 3));
/// Translated to the IPv4 address at its end (RFC 6052).
static NAT64: LazyLock<Ipv6Net> =
    LazyLock::new(|| Ipv6Net::new_assert(Ipv6Addr::from([0x64, 0xff9b, 0, 0, 0, 0, 0, 0]), 96));

/// Where requests may go. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    allowed: Arc<[IpNet]>,
}

impl Egress {
    /// The public internet and these ranges.
    #[must_use]
    pub fn new(allowed: impl IntoIterator<Item = IpNet>) -> Self {
        Self { allowed: allowed.into_iter().collect() }
    }

    /// Resolves names to permitted addresses only, for the `dns_resolver` of an HTTP client. The client must follow no
    /// redirects by itself, and use no proxy, which would resolve names itself. An address that stands in a URL as a
    /// number is never resolved: ask [`Egress::permits`].
    #[must_use]
    pub fn resolver(&self) -> Arc<Resolver> {
        Arc::new(Resolver::new(self.clone()))
    }

    /// Whether a request may go there.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        // An IPv4 address in the clothes of an IPv6 one is what it is.
        let address = address.to_canonical();
        self.allowed.iter().any(|range| range.contains(&address)) || is_public(address)
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|range| range.contains(&address)),
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V6(address) => GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|range| range.contains(&address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(egress: &Egress, address: &str) -> bool {
        egress.permits(address.parse().unwrap())
    }

    #[test]
    fn the_public_internet_is_permitted() {
        for address in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "192.0.3.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(permitted(&Egress::default(), address), "{address}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for address in [
            "127.0.0.1",
            "0.0.0.0",
            "10.96.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!permitted(&Egress::default(), address), "{address}");
        }
    }

    #[test]
    fn an_installation_may_open_a_range_and_no_more() {
        let egress = Egress::new(["10.20.0.0/16".parse().unwrap(), "fd00:1::/64".parse().unwrap()]);
        for address in ["10.20.3.4", "::ffff:10.20.3.4", "fd00:1::7"] {
            assert!(permitted(&egress, address), "{address}");
        }
        for address in ["10.21.0.1", "fd00:2::7", "127.0.0.1"] {
            assert!(!permitted(&egress, address), "{address}");
        }
    }
}
