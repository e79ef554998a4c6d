//! The demo in a cluster that is there already, with its own Postgres and LiveKit: looks whether it can be, installs the
//! charts, applies the sample clinic, and calls it if it is told where LiveKit's SIP service is. Everything that is made
//! can be taken away again, and nothing else is touched.

mod cluster;
mod forward;
mod helm;
mod install;
mod options;
mod preflight;
mod remove;
mod values;

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::{net::lookup_host, time::Instant};
use voxplane_e2e::{
    caller,
    cluster::Cluster,
    world::{self, CLINIC_NAMESPACE, CLINIC_NUMBER, READY_LIMIT},
};

pub use self::options::Options;
use self::{cluster::Target, forward::Forward};
use crate::talk::{self, Script};

/// The sample that is applied, and its agency.
const SAMPLE: &str = "dental-clinic";
/// LiveKit SIP's usual port.
const SIP_PORT: u16 = 5060;

/// Installs the demo, or removes it.
pub async fn run(context: &str, options: &Options, script: &Script) -> Result<()> {
    let target = Target::connect(context).await?;
    if options.remove {
        return remove::all(&target, options.confirmed).await;
    }
    let sip = match &options.sip {
        Some(address) => Some(resolve(address).await?),
        None => None,
    };
    let found = preflight::check(&target, options).await?;
    install::all(&target, options, &found).await?;
    clinic(&target, &callers(options, sip)?).await?;
    match sip {
        Some(address) => call(&target, address, script).await?,
        None => how_to_call(options),
    }
    go_on(context);
    Ok(())
}

async fn clinic(target: &Target, callers: &[String]) -> Result<()> {
    println!("\nresources   kubectl apply --server-side -f manifests/samples/{SAMPLE}");
    let mut objects = world::sample(SAMPLE)?;
    for object in objects.iter_mut().filter(|_| !callers.is_empty()) {
        if let Some(addresses) = object.data.pointer_mut("/spec/carriers/0/sip/allowedAddresses") {
            println!("            with calls from {} only", callers.join(", "));
            *addresses = callers.into();
        }
    }
    let cluster = Cluster::connect(target.client.clone()).await?;
    let started = Instant::now();
    let applied = cluster.apply_all(&objects, READY_LIMIT).await?;
    crate::ready(&applied, started.elapsed());
    Ok(())
}

async fn call(target: &Target, sip: SocketAddr, script: &Script) -> Result<()> {
    let forward = Forward::to_api(target.client.clone()).await?;
    let secret = target.helm.auth_secret().await?;
    let url = format!("http://{}", forward.address);
    let rest = world::administrator(target.client.clone(), &secret, &url).await?;
    let uri = format!("sip:{CLINIC_NUMBER}@{sip}");
    let called = talk::hold(&rest, &uri, script).await;
    called.map(drop).with_context(|| {
        format!(
            "calling {uri}: it must be LiveKit's SIP service of this installation, which sees this machine under one of \
             the addresses in CALLERS"
        )
    })
}

/// Where calls may come from: as said, or from this machine if it is to call.
fn callers(options: &Options, sip: Option<SocketAddr>) -> Result<Vec<String>> {
    match sip {
        Some(address) if options.callers.is_empty() => Ok(vec![caller::local_ip_towards(address)?.to_string()]),
        _ => Ok(options.callers.clone()),
    }
}

async fn resolve(address: &str) -> Result<SocketAddr> {
    let with_port = if address.contains(':') { address.to_owned() } else { format!("{address}:{SIP_PORT}") };
    let mut found = lookup_host(&with_port).await.with_context(|| format!("SIP={address}: not a host or host:port"))?;
    found.next().with_context(|| format!("SIP={address} has no address"))
}

fn how_to_call(options: &Options) {
    println!("\ncall        dial {CLINIC_NUMBER} over your LiveKit's SIP service: sip:{CLINIC_NUMBER}@<its address>");
    if options.callers.is_empty() {
        println!(
            "            Calls are taken only from the addresses in the sample's agency. With CALLERS=<addresses>"
        );
        println!("            they are others, and with SIP=<host:port> the demo calls by itself.");
    }
}

fn go_on(context: &str) {
    println!("\ngo on       kubectl --context {context} get voxplane -A");
    println!("            kubectl --context {context} -n {CLINIC_NAMESPACE} describe voiceagent");
    println!("            make down CONTEXT={context}   removes what this made");
}
