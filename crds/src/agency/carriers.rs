//! Connections to telephone carriers, and what they grant.

use super::outbound::Outbound;
use crate::{
    defaults::{default_from_schema, defaults},
    refs::LocalSecretRef,
    schema::{E164_OR_PREFIX, OBJECT_NAME},
};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const ADDRESSES: &str = "!has(self.allowedAddresses) || self.allowedAddresses.all(a, isCIDR(a) || isIP(a))";
const ADDRESSES_MESSAGE: &str =
    "every entry of `allowedAddresses` is an IP address (203.0.113.7) or a range (203.0.113.0/24)";
const SOME_ADDRESSES: &str =
    "!has(self.allowedAddresses) || self.allowedAddresses.all(a, !isCIDR(a) || cidr(a).prefixLength() > 0)";
const SOME_ADDRESSES_MESSAGE: &str =
    "a range of length /0 admits the whole Internet: leave `allowedAddresses` out for the ranges the carrier publishes";

/// A connection to a telephone carrier.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type == 'sip' ? has(self.sip) : !has(self.sip)")
        .message("a carrier of type `sip` needs the block `sip`, and only that type may have it"),
    validation = Rule::new("self.type == 'twilio' ? has(self.twilio) : !has(self.twilio)")
        .message("a carrier of type `twilio` needs the block `twilio`, and only that type may have it"),
    validation = Rule::new("self.type == 'telnyx' ? has(self.telnyx) : !has(self.telnyx)")
        .message("a carrier of type `telnyx` needs the block `telnyx`, and only that type may have it"),
    validation = Rule::new("self.type == 'gotoConnect' ? has(self.gotoConnect) : !has(self.gotoConnect)")
        .message("a carrier of type `gotoConnect` needs the block `gotoConnect`, and only that type may have it"),
    validation = Rule::new("!has(self.outbound) || has(self.outbound.address) || self.type == 'telnyx'")
        .message("`outbound.address` is needed: only Telnyx has one host for all its customers; with `twilio` it is the trunk's termination URI (`<name>.pstn.twilio.com`)")
        .field_path(".outbound"),
    validation = Rule::new("!has(self.outbound) || (has(self.allowedDestinations) && size(self.allowedDestinations) > 0)")
        .message("`outbound` needs `allowedDestinations`: list the numbers that may be called, or beginnings of them (`+49*`)")
        .field_path(".outbound")
)]
pub struct CarrierConnection {
    /// Name by which PhoneNumbers refer to this connection.
    #[schemars(length(min = 1, max = 40), pattern(OBJECT_NAME))]
    pub name: String,
    /// Kind of carrier. `sip`: any SIP trunk; calls arrive from the carrier's addresses or with a user name and password.
    /// `twilio`, `telnyx`: an account there; its numbers are routed here, and numbers may be bought for PhoneNumbers.
    /// `gotoConnect`: as those, with a line of the account that forwards the calls here.
    #[serde(rename = "type")]
    pub type_: CarrierType,
    /// Settings of a SIP trunk; needed when `type` is `sip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip: Option<SipConnection>,
    /// Settings of a Twilio account; needed when `type` is `twilio`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twilio: Option<TwilioConnection>,
    /// Settings of a Telnyx account; needed when `type` is `telnyx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telnyx: Option<TelnyxConnection>,
    /// Settings of a GoTo Connect account; needed when `type` is `gotoConnect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goto_connect: Option<GotoConnectConnection>,
    /// The telephone numbers that arrive over this connection, and the tenants that may claim them. A number that no
    /// entry grants can neither be claimed nor bought. Omitted: no number can be claimed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["pattern".into()]))]
    pub numbers: Vec<NumberGrant>,
    /// How calls are placed over this connection. Omitted: none are, and its PhoneNumbers cannot have `outbound.enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Outbound>,
    /// The numbers that this connection may be made to pay calls to: numbers in E.164 form, or beginnings of them followed
    /// by `*` (`+49*`). Others are neither called over it nor accepted as `fallbackNumber` of its PhoneNumbers. `+1*`
    /// covers expensive islands, too: list area codes where that matters. Omitted: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 3, max = 16), pattern(E164_OR_PREFIX)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_destinations: Vec<String>,
}

/// Kinds of carrier.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CarrierType {
    /// Any SIP trunk.
    #[default]
    Sip,
    /// A Twilio account with an Elastic SIP Trunk.
    Twilio,
    /// A Telnyx account with a SIP connection.
    Telnyx,
    /// A GoTo Connect account with a line that forwards calls.
    GotoConnect,
}

impl CarrierType {
    /// The value as it is written in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Twilio => "twilio",
            Self::Telnyx => "telnyx",
            Self::GotoConnect => "gotoConnect",
        }
    }

    /// Whether the carrier sends a number's calls to another number while our SIP address does not answer, and can be told
    /// so through its API. Twilio fetches a TwiML document of somebody's web server then, one for a whole trunk; GoTo and
    /// any trunk of type `sip` have nothing that we could set.
    #[must_use]
    pub const fn has_fallback(self) -> bool {
        matches!(self, Self::Telnyx)
    }
}

/// A SIP trunk over which a carrier sends calls.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.allowedAddresses) && size(self.allowedAddresses) > 0) || has(self.authSecretRef)")
        .message("without `allowedAddresses` or `authSecretRef` anyone on the Internet could place calls: list the carrier's addresses, or name a Secret with `username` and `password`"),
    validation = Rule::new(ADDRESSES).message(ADDRESSES_MESSAGE).field_path(".allowedAddresses"),
    validation = Rule::new(SOME_ADDRESSES)
        .message("a range of length /0 admits the whole Internet: list the carrier's addresses, or use `authSecretRef`")
        .field_path(".allowedAddresses")
)]
pub struct SipConnection {
    /// Addresses or CIDR ranges that calls may come from. Omitted: any address, if `authSecretRef` is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_addresses: Vec<String>,
    /// Secret of type `voxplane.dev/credentials` in the agency's namespace with the keys `username` and `password` that
    /// the carrier must present. Omitted: the source address alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<LocalSecretRef>,
    /// Seconds a call may ring before it is given up. Omitted: 20.
    #[serde(default = "default::ringing_timeout_seconds")]
    #[schemars(range(min = 5, max = 20))]
    pub ringing_timeout_seconds: i32,
}

/// A Twilio account whose Elastic SIP Trunk leads here.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ADDRESSES).message(ADDRESSES_MESSAGE).field_path(".allowedAddresses"),
    validation = Rule::new(SOME_ADDRESSES).message(SOME_ADDRESSES_MESSAGE).field_path(".allowedAddresses")
)]
pub struct TwilioConnection {
    /// Secret of type `voxplane.dev/credentials` in the agency's namespace with the label
    /// `voxplane.dev/provider=twilio`. Its keys: `api-key` and `api-secret` (preferred), or `auth-token`.
    pub secret_ref: LocalSecretRef,
    /// The account, for example `AC` and 32 hexadecimal digits.
    #[schemars(length(max = 34), pattern(r"^AC[0-9a-fA-F]{32}$"))]
    pub account_sid: String,
    /// The Elastic SIP Trunk whose origination URI is this platform's SIP address. Numbers are put on it.
    #[schemars(length(max = 34), pattern(r"^TK[0-9a-fA-F]{32}$"))]
    pub trunk_sid: String,
    /// Addresses or CIDR ranges that calls may come from. Omitted: the ranges that Twilio publishes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_addresses: Vec<String>,
    /// Seconds a call may ring before it is given up. Omitted: 20.
    #[serde(default = "default::ringing_timeout_seconds")]
    #[schemars(range(min = 5, max = 20))]
    pub ringing_timeout_seconds: i32,
    /// Whether PhoneNumbers may buy numbers with this account. They cost money every month.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub purchases: Purchases,
}

/// A Telnyx account whose SIP connection leads here.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ADDRESSES).message(ADDRESSES_MESSAGE).field_path(".allowedAddresses"),
    validation = Rule::new(SOME_ADDRESSES).message(SOME_ADDRESSES_MESSAGE).field_path(".allowedAddresses")
)]
pub struct TelnyxConnection {
    /// Secret of type `voxplane.dev/credentials` in the agency's namespace with the label
    /// `voxplane.dev/provider=telnyx`. Its key: `api-key`.
    pub secret_ref: LocalSecretRef,
    /// The SIP connection whose inbound address is this platform's SIP address. Numbers are put on it.
    #[schemars(length(min = 1, max = 20), pattern("^[0-9]+$"))]
    pub connection_id: String,
    /// Addresses or CIDR ranges that calls may come from. Omitted: the ranges that Telnyx publishes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_addresses: Vec<String>,
    /// Seconds a call may ring before it is given up. Omitted: 20.
    #[serde(default = "default::ringing_timeout_seconds")]
    #[schemars(range(min = 5, max = 20))]
    pub ringing_timeout_seconds: i32,
    /// Whether PhoneNumbers may buy numbers with this account. They cost money every month.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub purchases: Purchases,
}

/// A GoTo Connect account whose numbers are assigned to a line that leads here. GoTo sends calls to no SIP address of
/// others: something that takes the line's calls passes them on, see docs/carriers.md.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ADDRESSES).message(ADDRESSES_MESSAGE).field_path(".allowedAddresses"),
    validation = Rule::new(SOME_ADDRESSES)
        .message("a range of length /0 admits the whole Internet: list the addresses of what passes the calls on")
        .field_path(".allowedAddresses")
)]
pub struct GotoConnectConnection {
    /// Secret of type `voxplane.dev/credentials` in the agency's namespace with the label
    /// `voxplane.dev/provider=gotoConnect`. Its keys: `client-id`, `client-secret`, `refresh-token`.
    pub secret_ref: LocalSecretRef,
    /// Key of the account: digits. Omitted: the Secret's key `account-key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), pattern("^[0-9]+$"))]
    pub account_key: Option<String>,
    /// Id of the line (extension) that numbers are assigned to and whose calls are passed on to this platform's SIP
    /// address.
    #[schemars(length(min = 1, max = 64), pattern("^[0-9A-Za-z-]+$"))]
    pub extension_id: String,
    /// Addresses or CIDR ranges that calls may come from: those of what passes the line's calls on. GoTo publishes none.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_addresses: Vec<String>,
    /// Seconds a call may ring before it is given up. Omitted: 20.
    #[serde(default = "default::ringing_timeout_seconds")]
    #[schemars(range(min = 5, max = 20))]
    pub ringing_timeout_seconds: i32,
    /// Whether PhoneNumbers may buy numbers with this account. They cost money every month.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub purchases: Purchases,
}

/// Whether numbers may be bought.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Purchases {
    /// Whether a PhoneNumber with `search` buys a number. Omitted: false.
    #[serde(default)]
    pub enabled: bool,
    /// The most numbers that are bought over this connection, those included that were kept when their PhoneNumber was
    /// deleted. Omitted: 10.
    #[serde(default = "default::max_numbers")]
    #[schemars(range(min = 0, max = 10_000))]
    pub max_numbers: i32,
}

impl CarrierConnection {
    /// Whether calls to `number` (E.164) may be made over this connection, or be sent on to it at its cost.
    #[must_use]
    pub fn allows_destination(&self, number: &str) -> bool {
        self.allowed_destinations.iter().any(|pattern| covers(pattern, number))
    }

    /// Whether numbers may be bought over this connection; none: its kind of carrier sells none to us.
    #[must_use]
    pub fn purchases(&self) -> Option<&Purchases> {
        match self.type_ {
            CarrierType::Sip => None,
            CarrierType::Twilio => self.twilio.as_ref().map(|twilio| &twilio.purchases),
            CarrierType::Telnyx => self.telnyx.as_ref().map(|telnyx| &telnyx.purchases),
            CarrierType::GotoConnect => self.goto_connect.as_ref().map(|goto| &goto.purchases),
        }
    }

    /// The carrier's id of what leads here, where numbers are routed through the carrier's API: trunk, connection or line.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        match self.type_ {
            CarrierType::Sip => None,
            CarrierType::Twilio => self.twilio.as_ref().map(|twilio| twilio.trunk_sid.as_str()),
            CarrierType::Telnyx => self.telnyx.as_ref().map(|telnyx| telnyx.connection_id.as_str()),
            CarrierType::GotoConnect => self.goto_connect.as_ref().map(|goto| goto.extension_id.as_str()),
        }
    }

    /// The Secret that names us to the carrier for the calls we place: as [`Self::secret_ref`].
    #[must_use]
    pub fn outbound_secret_ref(&self) -> Option<(&'static str, &LocalSecretRef, &'static str)> {
        let reference = self.outbound.as_ref()?.auth_secret_ref.as_ref()?;
        Some(("outbound.authSecretRef", reference, self.type_.as_str()))
    }

    /// The Secret that this connection names: its field below the connection, and the provider it must be labelled with.
    #[must_use]
    pub fn secret_ref(&self) -> Option<(&'static str, &LocalSecretRef, &'static str)> {
        match self.type_ {
            CarrierType::Sip => {
                let reference = self.sip.as_ref()?.auth_secret_ref.as_ref()?;
                Some(("sip.authSecretRef", reference, self.type_.as_str()))
            }
            CarrierType::Twilio => Some(("twilio.secretRef", &self.twilio.as_ref()?.secret_ref, self.type_.as_str())),
            CarrierType::Telnyx => Some(("telnyx.secretRef", &self.telnyx.as_ref()?.secret_ref, self.type_.as_str())),
            CarrierType::GotoConnect => {
                Some(("gotoConnect.secretRef", &self.goto_connect.as_ref()?.secret_ref, self.type_.as_str()))
            }
        }
    }
}

/// Grants numbers to tenants.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberGrant {
    /// A number in E.164 form (`+15550100`), or the beginning of one followed by `*` (`+1555*`).
    #[schemars(length(min = 3, max = 16), pattern(E164_OR_PREFIX))]
    pub pattern: String,
    /// Names of the tenants that may claim the number. Omitted or empty: every tenant of the agency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 30), pattern(OBJECT_NAME)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub tenants: Vec<String>,
}

impl NumberGrant {
    /// Whether the pattern covers `number` (E.164), whoever asks.
    #[must_use]
    pub fn covers(&self, number: &str) -> bool {
        covers(&self.pattern, number)
    }

    /// Whether `tenant` may claim `number` (E.164) by this entry.
    #[must_use]
    pub fn grants(&self, number: &str, tenant: &str) -> bool {
        self.covers(number) && (self.tenants.is_empty() || self.tenants.iter().any(|name| name == tenant))
    }
}

/// Whether a pattern, a number or the beginning of one followed by `*`, covers `number` (E.164).
fn covers(pattern: &str, number: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => number.starts_with(prefix),
        None => pattern == number,
    }
}

defaults! {
    ringing_timeout_seconds: i32 = 20;
    max_numbers: i32 = 10;
}
default_from_schema!(SipConnection, Purchases);
