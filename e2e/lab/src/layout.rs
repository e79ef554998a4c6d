//! Names, addresses and paths of a lab. Everything here is a pure function of the lab's name and index.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::error::{LabError, Result};

/// Highest index a lab can have; the index is the third byte of its addresses.
pub const MAX_INDEX: u8 = 63;
/// Addresses of Services inside every lab.
pub const SERVICE_CIDR: &str = "10.96.0.0/16";
/// Addresses of pods inside every lab; they never leave it.
pub const POD_CIDR: &str = "10.244.0.0/16";
/// Port of the API server on the node address.
pub const API_SERVER_PORT: u16 = 6443;
/// Port of LiveKit's signalling and API on the node address.
pub const LIVEKIT_PORT: u16 = 7880;
/// TCP port of LiveKit's media on the node address.
pub const LIVEKIT_TCP_PORT: u16 = 7881;
/// UDP port of LiveKit's media on the node address.
pub const LIVEKIT_UDP_PORT: u16 = 7882;
/// SIP signalling port on the node address.
pub const SIP_PORT: u16 = 5060;
/// First and last UDP port of SIP media on the node address.
pub const SIP_MEDIA_PORTS: (u16, u16) = (10_000, 10_999);
/// Port of Postgres on the node address.
pub const POSTGRES_PORT: u16 = 5432;
/// Port of the S3 store on the node address.
pub const S3_PORT: u16 = 7070;
/// NodePort at which the installed REST API is reached on the node address.
pub const REST_NODE_PORT: u16 = 30_080;

/// A name that is safe in paths, control groups and command lines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabName(String);

impl LabName {
    /// Checks a name given by the user.
    pub fn parse(name: &str) -> Result<Self> {
        let refuse = |reason| Err(LabError::Name { name: name.to_owned(), reason });
        match name.as_bytes() {
            [] => refuse("it is empty"),
            bytes if bytes.len() > 16 => refuse("it is longer than 16 characters"),
            [b'-', ..] | [.., b'-'] => refuse("it starts or ends with '-'"),
            bytes if !bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-') => {
                refuse("it contains other characters")
            }
            _ => Ok(Self(name.to_owned())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the lab's control group, directly below each hierarchy's root.
    pub fn cgroup(&self) -> String {
        format!("voxplane-lab-{}", self.0)
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Addresses and interface names, unique per index: `10.243.<index>.0/24` belongs to one lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    index: u8,
}

impl Network {
    /// Network of the lab with this index.
    pub fn new(index: u8) -> Self {
        Self { index }
    }

    fn address(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 243, self.index, last)
    }

    /// Address of the first node, where every part listens.
    pub fn node(self) -> Ipv4Addr {
        self.address(1)
    }

    /// Address of the second node; only the lab itself reaches it.
    pub fn second_node(self) -> Ipv4Addr {
        self.address(2)
    }

    /// The host's address on the link to the lab.
    pub fn host(self) -> Ipv4Addr {
        self.address(253)
    }

    /// All addresses of this lab.
    pub fn cidr(self) -> String {
        format!("{}/24", self.address(0))
    }

    /// Name of the host's end of the veth pair.
    pub fn host_interface(self) -> String {
        format!("vxlab{}", self.index)
    }

    /// Name of the lab's end of the veth pair.
    pub fn lab_interface(self) -> String {
        format!("vxlab{}n", self.index)
    }
}

/// A node of the lab's cluster. Both live in the lab's one network: the second has an address, a container runtime, a
/// kubelet and control groups of its own, and shares the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// Always there.
    First,
    /// Only when it is asked for.
    Second,
}

impl Node {
    /// Both.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// Its name in the cluster.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "node1",
            Self::Second => "node2",
        }
    }

    /// Its address.
    pub fn address(self, network: Network) -> Ipv4Addr {
        match self {
            Self::First => network.node(),
            Self::Second => network.second_node(),
        }
    }

    /// Addresses of the pods on it.
    pub fn pod_cidr(self) -> &'static str {
        match self {
            Self::First => "10.244.0.0/24",
            Self::Second => "10.244.1.0/24",
        }
    }

    /// What a process, directory or certificate of this node is called whose name on the first one is `name`.
    pub fn own(self, name: &str) -> String {
        match self {
            Self::First => name.to_owned(),
            Self::Second => format!("{name}2"),
        }
    }

    /// A port of this node whose usual number is `port`: both share the loopback address.
    pub fn port(self, port: u16) -> u16 {
        match self {
            Self::First => port,
            Self::Second => port + 100,
        }
    }

    /// The control group below which its kubelet puts pods.
    pub fn cgroup(self, lab: &LabName) -> String {
        match self {
            Self::First => lab.cgroup(),
            Self::Second => format!("{}/{}", lab.cgroup(), self.name()),
        }
    }
}

/// Where a lab keeps its files.
#[derive(Clone, Debug)]
pub struct Paths {
    dir: PathBuf,
}

impl Paths {
    /// Files of the lab `name` below `root`.
    pub fn new(root: &Path, name: &LabName) -> Self {
        Self { dir: root.join(name.as_str()) }
    }

    /// The lab's own directory; removed by `lab down`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file or directory of the lab.
    pub fn join(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.join(relative)
    }

    /// Index and passwords.
    pub fn state(&self) -> PathBuf {
        self.join("lab.json")
    }

    /// Held (flock) by the keeper for as long as the lab lives.
    pub fn alive_lock(&self) -> PathBuf {
        self.join("alive.lock")
    }

    /// Pid of the init process, in the host's pid namespace.
    pub fn init_pid(&self) -> PathBuf {
        self.join("init.pid")
    }

    /// Socket of the init process.
    pub fn init_socket(&self) -> PathBuf {
        self.join("init.sock")
    }

    /// Log of one process.
    pub fn log(&self, process: &str) -> PathBuf {
        self.join("log").join(format!("{process}.log"))
    }

    /// Certificates, keys and the kubeconfigs of the control plane.
    pub fn pki(&self) -> PathBuf {
        self.join("pki")
    }

    /// The administrator's kubeconfig, usable inside the lab and on the host.
    pub fn kubeconfig(&self) -> PathBuf {
        self.join("kubeconfig")
    }

    /// containerd's socket on a node.
    pub fn containerd_socket(&self, node: Node) -> PathBuf {
        self.join(node.own("containerd")).join("containerd.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_paths_are_refused() {
        for bad in ["", "-a", "a-", "A", "a/b", "..", "a b", "seventeen-letters"] {
            assert!(LabName::parse(bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["demo", "test", "a", "e2e-1"] {
            assert_eq!(LabName::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn nodes_share_nothing_that_must_differ() {
        let (network, lab) = (Network::new(3), LabName::parse("demo").unwrap());
        let [first, second] = Node::ALL;
        assert_ne!(first.name(), second.name());
        assert_ne!(first.address(network), second.address(network));
        assert_ne!(second.address(network), network.host());
        assert_ne!(first.pod_cidr(), second.pod_cidr());
        assert_ne!(first.own("kubelet"), second.own("kubelet"));
        assert_ne!(first.port(10_250), second.port(10_250));
        // kubelet removes the groups below its own that it does not know: they must not be another kubelet's pods.
        assert_ne!(format!("{}/kubepods", first.cgroup(&lab)), second.cgroup(&lab));
        assert!(second.cgroup(&lab).starts_with(&first.cgroup(&lab)), "removed with the lab's own");
    }

    #[test]
    fn labs_share_no_address_and_no_interface() {
        let (a, b) = (Network::new(0), Network::new(1));
        for (x, y) in [(a.node(), b.node()), (a.host(), b.host())] {
            assert_ne!(x, y);
        }
        assert_ne!(a.host_interface(), b.host_interface());
        let longest = Network::new(MAX_INDEX).lab_interface();
        assert!(longest.len() <= 15, "interface names have at most 15 bytes: {longest}");
    }
}
