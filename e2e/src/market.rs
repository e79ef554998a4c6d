//! A carrier that sells numbers, where the lab's pods can reach it.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use voxplane_carriers::{Setup, Simulator, Vendor};

use crate::env::LabEnv;

/// The address of this machine as the lab sees it; calls come from it, too.
///
/// # Errors
/// When there is no way to the lab.
pub async fn own_address(env: &LabEnv) -> Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    // Sends nothing; the kernel chooses the address that it would send from.
    socket.connect(&env.sip_address).await.with_context(|| format!("no way to {}", env.sip_address))?;
    Ok(socket.local_addr()?.ip())
}

/// A shop: an agency with an account at a carrier, a tenant with an agent, and a number to be bought for it.
pub struct Shop {
    /// The carrier.
    pub carrier: Simulator,
    wish: Wish,
    own_address: IpAddr,
}

/// Which number is wanted, and for whom. Stand-ins all sell the same numbers, and a number has one owner in a cluster:
/// tests that run beside each other choose different areas.
#[derive(Clone, Copy)]
pub struct Wish {
    /// Name of the agency.
    pub agency: &'static str,
    /// Area code in the United States.
    pub area: &'static str,
    /// `Retain` or `Release`. What is to be released needs its carrier when it is deleted.
    pub deletion_policy: &'static str,
}

impl Shop {
    /// Opens the carrier.
    ///
    /// # Errors
    /// When the lab cannot be reached.
    pub async fn open(env: &LabEnv, wish: Wish, carrier: Setup) -> Result<Self> {
        let own_address = own_address(env).await?;
        let carrier = carrier.listen(SocketAddr::new(own_address, 0)).start().await.context("start the carrier")?;
        Ok(Self { carrier, wish, own_address })
    }

    /// Everything, as a person would apply it. JSON, which is YAML.
    pub fn manifest(&self) -> String {
        let Wish { agency: name, area, deletion_policy } = self.wish;
        let (agency, tenant) = (format!("vx-{name}"), format!("vx-{name}--shop"));
        let object = |kind: &str, name: &str, namespace: &str, spec: Value| {
            let metadata = match namespace {
                "" => json!({"name": name}),
                _ => json!({"name": name, "namespace": namespace}),
            };
            json!({"apiVersion": "voxplane.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
        };
        let provider = self.provider();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "voxplane.dev/credentials",
            "metadata": {"name": "account", "namespace": agency, "labels": {"voxplane.dev/provider": provider}},
            "stringData": self.carrier.secret(),
        });
        let connection = json!({
            "name": "market", "type": provider, provider: self.account(),
            "numbers": [{"pattern": format!("+1{area}*"), "tenants": ["shop"]}],
        });
        [
            object("Agency", name, "", json!({"carriers": [connection]})),
            secret,
            object("Tenant", "shop", &agency, json!({})),
            object(
                "KnowledgeBase",
                "faq",
                &tenant,
                json!({
                    "sources": [{"name": "hours", "inline": {"text": "We open at nine."}}],
                }),
            ),
            object("VoiceAgent", "clerk", &tenant, json!({"knowledgeBases": [{"name": "faq"}]})),
            object(
                "PhoneNumber",
                "main",
                &tenant,
                json!({
                    "search": {"country": "US", "areaCode": area}, "carrier": "market",
                    "agentRef": {"name": "clerk"}, "deletionPolicy": deletion_policy,
                }),
            ),
        ]
        .map(|object| object.to_string())
        .join("\n---\n")
    }

    const fn provider(&self) -> &'static str {
        match self.carrier.vendor() {
            Vendor::Twilio => "twilio",
            Vendor::Telnyx => "telnyx",
            Vendor::GotoConnect => "gotoConnect",
        }
    }

    fn account(&self) -> Value {
        let mut account = json!({
            "secretRef": {"name": "account"},
            "allowedAddresses": [self.own_address],
            "purchases": {"enabled": true, "maxNumbers": 2},
        });
        match self.carrier.vendor() {
            Vendor::Twilio => {
                account["accountSid"] = json!(self.carrier.secret().get("account-sid"));
                account["trunkSid"] = json!(self.carrier.connection());
            }
            Vendor::Telnyx => account["connectionId"] = json!(self.carrier.connection()),
            Vendor::GotoConnect => {
                account["accountKey"] = json!(voxplane_carriers::goto_connect::ACCOUNT_KEY);
                account["extensionId"] = json!(self.carrier.connection());
            }
        }
        account
    }
}
