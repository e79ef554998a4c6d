//! LiveKit server, LiveKit SIP and the Redis between them.

use std::time::Duration;

use serde_json::{Value, json};

use super::context::{Context, words};
use crate::error::Result;
use crate::layout::{LIVEKIT_PORT, LIVEKIT_TCP_PORT, LIVEKIT_UDP_PORT, SIP_MEDIA_PORTS, SIP_PORT};
use crate::pki::path_text;
use crate::state::write_private;

/// Name of the Redis process.
pub const REDIS: &str = "redis";
/// Name of LiveKit server's process.
pub const SERVER: &str = "livekit";
/// Name of LiveKit SIP's process.
pub const SIP: &str = "sip";

const REDIS_PORT: u16 = 6379;
const REDIS_ADDRESS: &str = "127.0.0.1:6379";
const LIMIT: Duration = Duration::from_secs(30);

/// Starts Redis.
pub fn start_redis(context: &Context) -> Result<()> {
    let mut argv =
        words(["redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
    argv.extend(["--dir".to_owned(), path_text(&context.directory("redis")?)]);
    context.spawn(context.process(REDIS, &argv))?;
    context.wait_for(REDIS, LIMIT, "`lab logs redis`; `make deps` installs it", || probe_redis(context))
}

/// Whether Redis answers.
pub fn probe_redis(context: &Context) -> Result<(), String> {
    context.prober.redis(context.at_loopback(REDIS_PORT))
}

/// Starts LiveKit server.
pub fn start_server(context: &Context) -> Result<()> {
    let node = context.network().node();
    let secrets = &context.state.secrets;
    let config = json!({
        "port": LIVEKIT_PORT,
        "bind_addresses": [node, "127.0.0.1"],
        "rtc": {
            "tcp_port": LIVEKIT_TCP_PORT,
            "udp_port": LIVEKIT_UDP_PORT,
            "use_external_ip": false,
            "node_ip": node,
            // Media is served on the node address alone, not on every pod's and the host's link.
            "interfaces": {"includes": ["vnode"]},
        },
        "redis": {"address": REDIS_ADDRESS},
        "keys": {(secrets.livekit_key.as_str()): secrets.livekit_secret},
        "logging": {"level": "info"},
    });
    context.spawn(with_config(context, SERVER, "livekit-server", &config)?)?;
    context.wait_for(SERVER, LIMIT, "`lab logs livekit`", || probe_server(context))
}

/// Whether LiveKit server serves HTTP on the node address.
pub fn probe_server(context: &Context) -> Result<(), String> {
    context.prober.http(context.at_node(LIVEKIT_PORT), "/")
}

/// Starts LiveKit SIP.
pub fn start_sip(context: &Context) -> Result<()> {
    let network = context.network();
    let secrets = &context.state.secrets;
    let config = json!({
        "api_key": secrets.livekit_key,
        "api_secret": secrets.livekit_secret,
        "ws_url": format!("ws://{}:{LIVEKIT_PORT}", network.node()),
        "redis": {"address": REDIS_ADDRESS},
        "sip_port": SIP_PORT,
        "rtp_port": format!("{}-{}", SIP_MEDIA_PORTS.0, SIP_MEDIA_PORTS.1),
        "use_external_ip": false,
        "nat_1_to_1_ip": network.node(),
        "local_net": network.cidr(),
        // Else it places no call while the machine is busy, as one that runs tests is.
        "max_cpu_utilization": 1,
        "logging": {"level": "info"},
    });
    context.spawn(with_config(context, SIP, "livekit-sip", &config)?)?;
    context.wait_for(SIP, LIMIT, "`lab logs sip`", || probe_sip(context))
}

/// Whether LiveKit SIP answers on the node address.
pub fn probe_sip(context: &Context) -> Result<(), String> {
    context.prober.sip(context.at_node(SIP_PORT))
}

/// Both programs take their configuration as a file; JSON is YAML.
fn with_config(
    context: &Context,
    name: &str,
    program: &str,
    config: &Value,
) -> Result<crate::init::protocol::ProcessSpec> {
    let path = context.paths.join(format!("{name}.yaml"));
    write_private(&path, format!("{config:#}\n").as_bytes())?;
    let mut argv = words([program, "--config"]);
    argv.push(path_text(&path));
    Ok(context.process(name, &argv))
}
