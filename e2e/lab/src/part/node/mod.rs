//! The nodes: containerd with runc and CNI, kubelet, and for all of them kube-proxy and the cluster's DNS.
//!
//! | module | runs |
//! | --- | --- |
//! | [`runtime`] | containerd and the pods' network, per node |
//! | [`kubelet`] | kubelet, per node |
//! | [`services`] | kube-proxy and DNS, once: all nodes share the lab's network |

mod kubelet;
mod runtime;
mod services;

use std::time::Duration;

use super::context::{Context, words};
use crate::cgroup;
use crate::error::Result;
use crate::layout::Node;

pub use runtime::{CNI_PLUGINS, spawn as spawn_containerd};

/// Name of the container runtime's process.
pub const CONTAINERD: &str = "containerd";
/// Name of kubelet's process.
pub const KUBELET: &str = "kubelet";
/// Name of kube-proxy's process.
pub const PROXY: &str = "kube-proxy";
/// Name of the DNS server's process.
pub const DNS: &str = "coredns";
/// The second node's processes.
pub const SECOND: [&str; 2] = ["containerd2", "kubelet2"];

const LIMIT: Duration = Duration::from_secs(60);

/// Starts the first node and what all nodes share, and waits until it is Ready and pods can be made.
pub fn start(context: &Context) -> Result<()> {
    runtime::spawn(context, Node::First)?;
    services::spawn(context)?;
    start_node(context, Node::First)?;
    services::wait(context)?;
    // Without it the first pods of a namespace are refused.
    let hint = "`lab logs kube-controller-manager`";
    context.wait_for(super::control_plane::CONTROLLER_MANAGER, LIMIT, hint, || account_exists(context))
}

/// Starts the second node and waits until it is Ready.
pub fn start_second(context: &Context) -> Result<()> {
    let (node, address) = (Node::Second, format!("{}/32", Node::Second.address(context.network())));
    cgroup::create(&node.cgroup(&context.name))?;
    // On the bridge that has the first node's address.
    let argv = words(["ip", "address", "replace", &address, "dev", "vnode"]);
    context.run(&node.own(KUBELET), context.process_on(node, "address", &argv), LIMIT, "`lab exec -- ip address`")?;
    runtime::spawn(context, node)?;
    start_node(context, node)
}

fn start_node(context: &Context, node: Node) -> Result<()> {
    runtime::wait(context, node)?;
    context.spawn(kubelet::process(context, node)?)?;
    let hint =
        format!("`lab logs {}`; control groups and the container runtime are the usual causes", node.own(KUBELET));
    context.wait_for(&node.own(KUBELET), LIMIT, &hint, || kubelet::ready(context, node))
}

/// Whether the first node is Ready and its helpers serve.
pub fn probe(context: &Context) -> Result<(), String> {
    kubelet::ready(context, Node::First)?;
    services::probe(context)
}

/// Whether the second node is Ready.
pub fn probe_second(context: &Context) -> Result<(), String> {
    kubelet::ready(context, Node::Second)
}

/// The nodes that run.
pub fn running(context: &Context) -> Vec<Node> {
    let runs = |node: &Node| *node == Node::First || context.running(&node.own(CONTAINERD)).is_ok();
    Node::ALL.into_iter().filter(runs).collect()
}

fn account_exists(context: &Context) -> Result<(), String> {
    context.kubectl(&["get", "serviceaccount", "default"]).map(drop).map_err(|error| error.to_string())
}
