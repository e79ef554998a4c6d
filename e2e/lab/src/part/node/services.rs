//! Service addresses and names, for the pods of all nodes.

use super::{DNS, LIMIT, PROXY};
use crate::error::{IoContext as _, Result};
use crate::init::protocol::ProcessSpec;
use crate::layout::{Node, POD_CIDR};
use crate::part::context::{Context, words};
use crate::part::control_plane::command;
use crate::pki::{file, path_text};

const PROXY_HEALTH_PORT: u16 = 10256;
const DNS_READY_PORT: u16 = 8181;

/// Starts kube-proxy and the DNS server, if they do not run.
pub fn spawn(context: &Context) -> Result<()> {
    context.spawn(dns(context)?)?;
    context.spawn(proxy(context))
}

/// Waits until both serve.
pub fn wait(context: &Context) -> Result<()> {
    context.wait_for(PROXY, LIMIT, "`lab logs kube-proxy`; it needs nftables", || proxy_ready(context))?;
    context.wait_for(DNS, LIMIT, "`lab logs coredns`", || dns_ready(context))
}

/// Whether both serve.
pub fn probe(context: &Context) -> Result<(), String> {
    proxy_ready(context)?;
    dns_ready(context)
}

fn proxy_ready(context: &Context) -> Result<(), String> {
    context.prober.http(context.at_loopback(PROXY_HEALTH_PORT), "/healthz")
}

fn dns_ready(context: &Context) -> Result<(), String> {
    context.prober.http(context.at_loopback(DNS_READY_PORT), "/ready")
}

fn proxy(context: &Context) -> ProcessSpec {
    let flags = [
        ("kubeconfig", file(&context.paths, "proxy.conf")),
        ("proxy-mode", "nftables".to_owned()),
        ("hostname-override", Node::First.name().to_owned()),
        ("cluster-cidr", POD_CIDR.to_owned()),
        ("nodeport-addresses", format!("{}/32", context.network().node())),
        ("healthz-bind-address", format!("127.0.0.1:{PROXY_HEALTH_PORT}")),
        // The host's limits are not ours to change.
        ("conntrack-max-per-core", "0".to_owned()),
        ("conntrack-tcp-timeout-established", "0s".to_owned()),
        ("conntrack-tcp-timeout-close-wait", "0s".to_owned()),
    ];
    context.process(PROXY, &command(PROXY, &flags))
}

/// A process of the lab rather than a pod: it needs no image and is there before the first pod.
fn dns(context: &Context) -> Result<ProcessSpec> {
    let corefile = format!(
        ".:53 {{\n  bind {node}\n  errors\n  ready 127.0.0.1:{DNS_READY_PORT}\n  kubernetes cluster.local {{\n    \
         kubeconfig {admin} lab\n  }}\n}}\n",
        node = context.network().node(),
        admin = file(&context.paths, "admin.conf"),
    );
    let path = context.paths.join("Corefile");
    std::fs::write(&path, corefile).at("write", &path)?;
    let mut argv = words(["coredns", "-conf"]);
    argv.push(path_text(&path));
    Ok(context.process(DNS, &argv))
}
