//! The node: containerd with runc and CNI, kubelet, kube-proxy and the cluster's DNS.

use std::time::Duration;

use serde_json::json;

use super::context::{Context, words};
use super::control_plane::command;
use crate::error::{IoContext as _, Result};
use crate::init::protocol::ProcessSpec;
use crate::layout::{NODE_NAME, NODE_POD_CIDR, POD_CIDR};
use crate::pki::{file, path_text};
use crate::state::write_private;
use crate::tools::{Tool, pause};

/// Name of the container runtime's process.
pub const CONTAINERD: &str = "containerd";
/// Name of kubelet's process.
pub const KUBELET: &str = "kubelet";
/// Name of kube-proxy's process.
pub const PROXY: &str = "kube-proxy";
/// Name of the DNS server's process.
pub const DNS: &str = "coredns";

/// Debian's directory of CNI plugins.
pub const CNI_PLUGINS: &str = "/usr/lib/cni";
const KUBELET_HEALTH_PORT: u16 = 10248;
const PROXY_HEALTH_PORT: u16 = 10256;
const DNS_READY_PORT: u16 = 8181;
const LIMIT: Duration = Duration::from_secs(60);

/// Starts containerd, if it does not run.
fn spawn_containerd(context: &Context) -> Result<()> {
    let dir = context.directory("containerd")?;
    let config = dir.join("config.toml");
    std::fs::write(&config, containerd_config(context)).at("write", &config)?;
    let cni = context.directory("cni")?.join("10-lab.conflist");
    std::fs::write(&cni, cni_config(context)).at("write", &cni)?;
    let mut argv = words(["containerd", "--config"]);
    argv.push(path_text(&config));
    context.spawn(context.process(CONTAINERD, &argv))
}

/// Starts the node and waits until it is Ready and pods can be made.
pub fn start(context: &Context) -> Result<()> {
    spawn_containerd(context)?;
    context.spawn(dns(context)?)?;
    context.spawn(proxy(context))?;
    context.wait_for(CONTAINERD, LIMIT, "`lab logs containerd`", || runtime_ready(context))?;
    import_pause(context)?;
    context.spawn(kubelet(context)?)?;
    let hint = "`lab logs kubelet`; control groups and the container runtime are the usual causes";
    context.wait_for(KUBELET, LIMIT, hint, || node_ready(context))?;
    context.wait_for(PROXY, LIMIT, "`lab logs kube-proxy`; it needs nftables", || proxy_ready(context))?;
    context.wait_for(DNS, LIMIT, "`lab logs coredns`", || dns_ready(context))?;
    // Without it the first pods of a namespace are refused.
    let hint = "`lab logs kube-controller-manager`";
    context.wait_for(super::control_plane::CONTROLLER_MANAGER, LIMIT, hint, || account_exists(context))
}

/// Whether the node is Ready and its helpers serve.
pub fn probe(context: &Context) -> Result<(), String> {
    node_ready(context)?;
    proxy_ready(context)?;
    dns_ready(context)
}

fn runtime_ready(context: &Context) -> Result<(), String> {
    let socket = context.paths.containerd_socket();
    std::os::unix::net::UnixStream::connect(&socket)
        .map(drop)
        .map_err(|error| format!("{}: {error}", socket.display()))?;
    let mut version = context.process("ctr-version", &words(["ctr", "version"]));
    version.log = "/dev/null".into();
    let exit = context.init.run(version, Duration::from_secs(10)).map_err(|error| error.to_string())?;
    if exit.success() { Ok(()) } else { Err(format!("ctr version: {exit}")) }
}

fn node_ready(context: &Context) -> Result<(), String> {
    context.prober.http(context.at_loopback(KUBELET_HEALTH_PORT), "/healthz")?;
    let path = "-o=jsonpath={.status.conditions[?(@.type=='Ready')]['status','message']}";
    let ready = context.kubectl(&["get", "node", NODE_NAME, path]).map_err(|error| error.to_string())?;
    if ready.starts_with("True") { Ok(()) } else { Err(format!("node {NODE_NAME} is not Ready: {ready}")) }
}

fn account_exists(context: &Context) -> Result<(), String> {
    context.kubectl(&["get", "serviceaccount", "default"]).map(drop).map_err(|error| error.to_string())
}

fn proxy_ready(context: &Context) -> Result<(), String> {
    context.prober.http(context.at_loopback(PROXY_HEALTH_PORT), "/healthz")
}

fn dns_ready(context: &Context) -> Result<(), String> {
    context.prober.http(context.at_loopback(DNS_READY_PORT), "/ready")
}

/// Loads the image that every pod starts with.
fn import_pause(context: &Context) -> Result<()> {
    let image = path_text(&context.tools.dir(Tool::Pause)?.join("image.tar"));
    let mut argv = words(["ctr", "images", "import"]);
    argv.push(image);
    context.run(CONTAINERD, context.process("import-pause", &argv), LIMIT, "`lab logs containerd`")
}

fn containerd_config(context: &Context) -> String {
    let dir = |name: &str| json!(path_text(&context.paths.join(name)));
    format!(
        r#"version = 3
root = {root}
state = {state}

[grpc]
address = {socket}

[plugins."io.containerd.internal.v1.opt"]
path = {opt}

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{pause}"

[plugins."io.containerd.cri.v1.runtime"]
# Lowering a process's oom_score_adj needs a capability that containers and virtual machines often lack.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{CNI_PLUGINS}"]
conf_dir = {cni}

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.nri.v1.nri"]
disable = true
"#,
        root = dir("containerd/root"),
        state = dir("containerd/state"),
        socket = dir("containerd/containerd.sock"),
        opt = dir("containerd/opt"),
        cni = dir("cni"),
        pause = pause::IMAGE,
    )
}

/// `ptp` rather than `bridge`: pod → Service → pod on one node then needs no bridge netfilter.
fn cni_config(context: &Context) -> String {
    let ipam = json!({
        "type": "host-local",
        "dataDir": path_text(&context.paths.join("cni-addresses")),
        "ranges": [[{"subnet": NODE_POD_CIDR}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    });
    let plugins = [
        json!({"type": "ptp", "ipMasq": false, "ipam": ipam}),
        json!({"type": "portmap", "capabilities": {"portMappings": true}}),
    ];
    json!({"cniVersion": "1.0.0", "name": "lab", "plugins": plugins}).to_string()
}

fn kubelet(context: &Context) -> Result<ProcessSpec> {
    let pki = |name: &str| file(&context.paths, name);
    let dir = |name: &str| path_text(&context.paths.join(name));
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", context.name.cgroup()),
        "failCgroupV1": false,
        "failSwapOn": false,
        "containerRuntimeEndpoint": format!("unix://{}", dir("containerd/containerd.sock")),
        "authentication": {
            "anonymous": {"enabled": false},
            "x509": {"clientCAFile": pki("ca.crt")},
            "webhook": {"enabled": true},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": pki("node.crt"),
        "tlsPrivateKeyFile": pki("node.key"),
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
    let path = context.directory("kubelet")?.join("config.json");
    write_private(&path, format!("{config:#}").as_bytes())?;
    let flags = [
        ("config", path_text(&path)),
        ("kubeconfig", pki("node.conf")),
        ("hostname-override", NODE_NAME.to_owned()),
        ("node-ip", context.network().node().to_string()),
        ("root-dir", path_text(&context.directory("kubelet/root")?)),
    ];
    Ok(context.process(KUBELET, &command(KUBELET, &flags)))
}

fn proxy(context: &Context) -> ProcessSpec {
    let flags = [
        ("kubeconfig", file(&context.paths, "proxy.conf")),
        ("proxy-mode", "nftables".to_owned()),
        ("hostname-override", NODE_NAME.to_owned()),
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

/// A process of the node rather than a pod: it needs no image and is there before the first pod.
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
