//! kubelet.

use serde_json::json;

use super::KUBELET;
use crate::error::Result;
use crate::init::protocol::ProcessSpec;
use crate::layout::Node;
use crate::part::context::Context;
use crate::part::control_plane::command;
use crate::pki::{file, path_text};
use crate::state::write_private;

/// Usual ports: what the API server talks to, and what says that kubelet is well.
const PORT: u16 = 10250;
const HEALTH_PORT: u16 = 10248;

/// Whether the node is Ready.
pub fn ready(context: &Context, node: Node) -> Result<(), String> {
    context.prober.http(context.at_loopback(node.port(HEALTH_PORT)), "/healthz")?;
    let path = "-o=jsonpath={.status.conditions[?(@.type=='Ready')]['status','message']}";
    let name = node.name();
    let ready = context.kubectl(&["get", "node", name, path]).map_err(|error| error.to_string())?;
    if ready.starts_with("True") { Ok(()) } else { Err(format!("node {name} is not Ready: {ready}")) }
}

/// The process.
pub fn process(context: &Context, node: Node) -> Result<ProcessSpec> {
    let pki = |name: &str| file(&context.paths, name);
    let dir = |name: &str| path_text(&context.paths.join(node.own(name)));
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "port": node.port(PORT),
        "healthzPort": node.port(HEALTH_PORT),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", node.cgroup(&context.name)),
        "failCgroupV1": false,
        "failSwapOn": false,
        "containerRuntimeEndpoint": format!("unix://{}", path_text(&context.paths.containerd_socket(node))),
        "authentication": {
            "anonymous": {"enabled": false},
            "x509": {"clientCAFile": pki("ca.crt")},
            "webhook": {"enabled": true},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": pki(&format!("{}.crt", node.own("node"))),
        "tlsPrivateKeyFile": pki(&format!("{}.key", node.own("node"))),
        "clusterDNS": [context.network().node().to_string()],
        "clusterDomain": "cluster.local",
        // Pods get the cluster's DNS alone; the lab has no way out.
        "resolvConf": "/dev/null",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        // The images were loaded by hand and cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        // Changed Secrets and ConfigMaps reach the pods within seconds instead of a minute and a half.
        "syncFrequency": "10s",
        "podLogsDir": dir("pod-logs"),
        "volumePluginDir": dir("kubelet-plugins"),
    });
    let own = context.directory(&node.own(KUBELET))?;
    let path = own.join("config.json");
    write_private(&path, format!("{config:#}").as_bytes())?;
    let root = context.directory(&format!("{}/root", node.own(KUBELET)))?;
    let flags = [
        ("config", path_text(&path)),
        ("kubeconfig", pki(&format!("{}.conf", node.own("node")))),
        ("hostname-override", node.name().to_owned()),
        ("node-ip", node.address(context.network()).to_string()),
        ("root-dir", path_text(&root)),
    ];
    Ok(context.process_on(node, KUBELET, &command(KUBELET, &flags)))
}
