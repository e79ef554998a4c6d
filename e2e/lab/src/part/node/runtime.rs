//! containerd and the network of a node's pods.

use std::time::Duration;

use serde_json::json;

use super::{CONTAINERD, LIMIT};
use crate::error::{IoContext as _, Result};
use crate::layout::Node;
use crate::part::context::{Context, words};
use crate::pki::path_text;
use crate::tools::{Tool, pause};

/// Debian's directory of CNI plugins.
pub const CNI_PLUGINS: &str = "/usr/lib/cni";

/// Starts containerd, if it does not run.
pub fn spawn(context: &Context, node: Node) -> Result<()> {
    let config = context.directory(&node.own(CONTAINERD))?.join("config.toml");
    std::fs::write(&config, containerd_config(context, node)).at("write", &config)?;
    let cni = context.directory(&node.own("cni"))?.join("10-lab.conflist");
    std::fs::write(&cni, cni_config(context, node)).at("write", &cni)?;
    let mut argv = words(["containerd", "--config"]);
    argv.push(path_text(&config));
    context.spawn(context.process_on(node, CONTAINERD, &argv))
}

/// Waits until containerd serves and has the image that every pod starts with.
pub fn wait(context: &Context, node: Node) -> Result<()> {
    let (process, hint) = (node.own(CONTAINERD), format!("`lab logs {}`", node.own(CONTAINERD)));
    context.wait_for(&process, LIMIT, &hint, || ready(context, node))?;
    let image = path_text(&context.tools.dir(Tool::Pause)?.join("image.tar"));
    let mut argv = words(["ctr", "images", "import"]);
    argv.push(image);
    context.run(&process, context.process_on(node, "import-pause", &argv), LIMIT, &hint)
}

fn ready(context: &Context, node: Node) -> Result<(), String> {
    let socket = context.paths.containerd_socket(node);
    std::os::unix::net::UnixStream::connect(&socket)
        .map(drop)
        .map_err(|error| format!("{}: {error}", socket.display()))?;
    let mut version = context.process_on(node, "ctr-version", &words(["ctr", "version"]));
    version.log = "/dev/null".into();
    let exit = context.init.run(version, Duration::from_secs(10)).map_err(|error| error.to_string())?;
    if exit.success() { Ok(()) } else { Err(format!("ctr version: {exit}")) }
}

fn containerd_config(context: &Context, node: Node) -> String {
    let own = context.paths.join(node.own(CONTAINERD));
    let dir = |name: &str| json!(path_text(&own.join(name)));
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
        root = dir("root"),
        state = dir("state"),
        socket = json!(path_text(&context.paths.containerd_socket(node))),
        opt = dir("opt"),
        cni = json!(path_text(&context.paths.join(node.own("cni")))),
        pause = pause::IMAGE,
    )
}

/// `ptp` rather than `bridge`: pod → Service → pod on one node then needs no bridge netfilter, and pods of two nodes
/// reach each other by the routes that it makes.
fn cni_config(context: &Context, node: Node) -> String {
    let ipam = json!({
        "type": "host-local",
        "dataDir": path_text(&context.paths.join(node.own("cni-addresses"))),
        "ranges": [[{"subnet": node.pod_cidr()}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    });
    let plugins = [
        json!({"type": "ptp", "ipMasq": false, "ipam": ipam}),
        json!({"type": "portmap", "capabilities": {"portMappings": true}}),
    ];
    json!({"cniVersion": "1.0.0", "name": node.own("lab"), "plugins": plugins}).to_string()
}
