//! A SIP endpoint of its own on this machine, over UDP.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use rsipstack::{
    EndpointBuilder,
    transaction::endpoint::Endpoint,
    transport::{TransportLayer, udp::UdpConnection},
};
use tokio_util::sync::CancellationToken;

/// Opens an endpoint at an address and a free port, and says which; it ends with `stop`.
pub(super) async fn open(local: IpAddr, agent: &str, stop: &CancellationToken) -> Result<(Endpoint, u16)> {
    let transport = TransportLayer::new(stop.clone());
    let socket = UdpConnection::create_connection(SocketAddr::new(local, 0), None, Some(stop.child_token())).await?;
    let port = socket.get_addr().addr.port.as_ref().map_or(5060, rsipstack::sip::Port::value);
    transport.add_transport(socket.into());
    let endpoint = EndpointBuilder::new()
        .with_user_agent(agent)
        .with_transport_layer(transport)
        .with_cancel_token(stop.clone())
        .build();
    Ok((endpoint, port))
}
