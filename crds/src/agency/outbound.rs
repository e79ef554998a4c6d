//! How calls are placed over a carrier connection.

use crate::{defaults::default_from_schema, refs::LocalSecretRef};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a carrier takes the calls that are placed over its connection, and what it asks for. One outbound trunk is made
/// in LiveKit while a PhoneNumber of the connection has `outbound.enabled`.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mediaEncryption == 'Disabled' || self.transport == 'TLS'")
        .message("`mediaEncryption` needs `transport: TLS`: the keys of the media stand in the signalling")
        .field_path(".mediaEncryption")
)]
pub struct Outbound {
    /// Host name or IPv4 address that takes the calls, with a port if it is not the usual one (`sip.example.com:5080`).
    /// With `twilio`: the termination URI of the trunk (`<name>.pstn.twilio.com`). Omitted: what the carrier publishes,
    /// which is `sip.telnyx.com` with `telnyx`; the other types need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), pattern(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[1-9][0-9]{0,4})?$"))]
    pub address: Option<String>,
    /// How the signalling travels. Omitted: `UDP`.
    #[serde(default)]
    pub transport: SipTransport,
    /// Whether the media is encrypted (SRTP). Omitted: `Disabled`.
    #[serde(default)]
    pub media_encryption: MediaEncryption,
    /// Secret of type `voxplane.dev/credentials` in the agency's namespace, labelled as the one of the connection's type
    /// (`voxplane.dev/provider=sip` and so on), with the keys `username` and `password` that the carrier asks for. It may
    /// be the Secret that the connection names already. Omitted: the carrier knows us by our address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<LocalSecretRef>,
    /// Headers of every call, as some carriers want them. With `telnyx`, `X-Telnyx-Username` is sent by itself where
    /// there is a user name. Omitted: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<SipHeader>,
}

/// How SIP travels.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SipTransport {
    /// In datagrams.
    #[default]
    #[serde(rename = "UDP")]
    Udp,
    /// In a connection.
    #[serde(rename = "TCP")]
    Tcp,
    /// In an encrypted connection.
    #[serde(rename = "TLS")]
    Tls,
}

/// Whether media is encrypted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MediaEncryption {
    /// Never.
    #[default]
    Disabled,
    /// If the carrier wants it.
    Allowed,
    /// Always; a call that cannot be encrypted fails.
    Required,
}

/// A header of SIP requests.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SipHeader {
    /// Name of the header; it begins with `X-`.
    #[schemars(length(min = 3, max = 64), pattern("^X-[A-Za-z0-9-]+$"))]
    pub name: String,
    /// What stands there: printable characters without line breaks.
    #[schemars(length(min = 1, max = 256), pattern("^[ -~]+$"))]
    pub value: String,
}

default_from_schema!(Outbound);
