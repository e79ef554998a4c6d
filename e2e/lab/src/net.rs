//! The way from the host into a lab: a veth pair and a route to the node address.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{output, run};
use crate::error::{IoContext as _, Result};
use crate::layout::{Network, POD_CIDR};
use crate::pki::path_text;

/// Held while an interface is taken or given up. In one place for all labs of the machine, wherever their files are:
/// the kernel removes an interface some time after its lab has ended, and another lab may take the name meanwhile.
const LOCK: &str = "/run/lock/voxplane-lab";

fn exclusively() -> Result<File> {
    let path = Path::new(LOCK);
    let file = File::create(path).at("create", path)?;
    file.lock().at("lock", path)?;
    Ok(file)
}

/// Makes the veth pair of the lab whose files are in `owner`. `false` if the index is taken.
pub fn reserve(network: Network, owner: &Path) -> Result<bool> {
    let _guard = exclusively()?;
    let (outside, inside) = (network.host_interface(), network.lab_interface());
    if exists(&outside) {
        return Ok(false);
    }
    run("ip", &["link", "add", &outside, "type", "veth", "peer", "name", &inside])?;
    run("ip", &["link", "set", &outside, "alias", &path_text(owner)])?;
    Ok(true)
}

/// Gives the lab its node address and connects it to the host. `init` is the pid of the lab's first process.
pub fn connect(network: Network, init: i32) -> Result<()> {
    let (outside, inside) = (network.host_interface(), network.lab_interface());
    let pid = init.to_string();
    let (node, host) = (format!("{}/32", network.node()), format!("{}/32", network.host()));
    let enter = ["--target", &pid, "--net"];
    let within = |arguments: &[&str]| output(Command::new("nsenter").args(enter).arg("ip").args(arguments)).map(drop);
    within(&["link", "set", "lo", "up"])?;
    // The node's own address lives on a bridge without ports: not every kernel has dummy devices, and kubelet
    // refuses a loopback address.
    within(&["link", "add", "vnode", "type", "bridge"])?;
    within(&["address", "add", &node, "dev", "vnode"])?;
    within(&["link", "set", "vnode", "up"])?;
    run("ip", &["link", "set", &inside, "netns", &pid])?;
    // The lab's end has no address of its own: whatever a part sends to the host comes from the node address, also
    // from sockets that are bound to none, as LiveKit SIP's are.
    within(&["link", "set", &inside, "up"])?;
    within(&["route", "add", &host, "dev", &inside, "src", &network.node().to_string()])?;
    run("ip", &["address", "add", &host, "dev", &outside])?;
    run("ip", &["link", "set", &outside, "up"])?;
    run("ip", &["route", "add", &node, "dev", &outside, "src", &network.host().to_string()])?;
    let forward = ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"];
    output(Command::new("nsenter").args(enter).args(forward))?;
    // The host has no way to pods, whose addresses every lab uses: what they send to it comes from the node, so that
    // tests can be a pod's carrier or provider.
    let rules = format!(
        "add table ip lab; add chain ip lab out {{ type nat hook postrouting priority srcnat; }}; \
         add rule ip lab out ip saddr {POD_CIDR} oifname {inside} snat to {}",
        network.node()
    );
    output(Command::new("nsenter").args(enter).args(["nft", &rules])).map(drop)
}

/// Removes the host's end, if it is still there and still belongs to `owner`, and with it the route and the other end.
pub fn disconnect(network: Network, owner: &Path) -> Result<()> {
    let _guard = exclusively()?;
    let interface = network.host_interface();
    let alias = std::fs::read_to_string(device(&interface).join("ifalias")).unwrap_or_default();
    if alias.trim_end() != path_text(owner) {
        return Ok(());
    }
    match run("ip", &["link", "delete", &interface]) {
        Err(error) if exists(&interface) => Err(error),
        _ => Ok(()),
    }
}

fn device(interface: &str) -> PathBuf {
    Path::new("/sys/class/net").join(interface)
}

/// Whether the host has an interface of this name.
fn exists(interface: &str) -> bool {
    device(interface).exists()
}
