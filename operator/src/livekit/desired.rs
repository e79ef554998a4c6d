//! What a carrier connection needs in LiveKit. Pure.

use std::collections::{BTreeSet, HashMap};

use livekit_protocol::{
    JobRestartPolicy, RoomAgentDispatch, RoomConfiguration, SipDispatchRule, SipDispatchRuleCallee,
    SipDispatchRuleInfo, SipInboundTrunkInfo, sip_dispatch_rule,
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use uuid::Uuid;
use voxplane_telephony::{Carrier as _, E164, SipCarrier};

use super::outbound::Calling;

/// The name under which the API registers as a worker: every call of every rule is offered to it.
pub const WORKER: &str = "voxplane";
/// What the names of all our trunks and rules begin with.
pub const OURS: &str = "voxplane";
/// Name of the rule for calls that match no trunk.
pub const STRANGERS: &str = "voxplane-strangers";
/// Room prefix of those calls.
pub const STRANGERS_PREFIX: &str = "vx-stranger";
/// Participant attribute of those calls.
pub const STRANGER_ATTRIBUTE: &str = "voxplane.stranger";

/// Who may place calls over a connection.
#[derive(Clone, Debug)]
pub enum Access {
    /// As the agency says.
    Known(SipCarrier),
    /// Not known at present (a Secret is missing): an existing trunk keeps what it has, and none is made.
    AsFound,
}

/// A carrier connection as it should be in LiveKit.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name of the connection.
    pub carrier: String,
    /// Who may place calls.
    pub access: Access,
    /// The claimed numbers.
    pub numbers: BTreeSet<E164>,
    /// The calls that are placed; none: none are.
    pub outbound: Option<Calling>,
}

/// Whose connections they are.
#[derive(Clone, Debug)]
pub struct Holder {
    /// `status.id` of the agency.
    pub agency_id: Uuid,
    /// Its name, for people who look into LiveKit.
    pub agency: String,
}

impl Holder {
    /// Beginning of the names of everything in LiveKit that belongs to the agency.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{OURS}/{}/", self.agency_id)
    }

    /// Name of a connection's trunk and rule.
    #[must_use]
    pub fn name(&self, carrier: &str) -> String {
        format!("{}{carrier}", self.prefix())
    }

    /// Beginning of the names of its rooms. The last digits of the id: the first ones of a UUIDv7 are a clock.
    #[must_use]
    pub fn room_prefix(&self) -> String {
        let digits = self.agency_id.simple().to_string();
        format!("vx-{}", &digits[digits.len() - 8..])
    }

    /// The trunk of a connection; `found` is the one that exists. `None`: it can neither be made nor changed.
    #[must_use]
    pub fn trunk(&self, wanted: &Wanted, found: Option<&SipInboundTrunkInfo>) -> Option<SipInboundTrunkInfo> {
        let metadata = json!({ "managedBy": "voxplane-operator", "agency": self.agency, "carrier": wanted.carrier });
        let base = SipInboundTrunkInfo {
            name: self.name(&wanted.carrier),
            metadata: metadata.to_string(),
            numbers: wanted.numbers.iter().map(|number| number.as_str().to_owned()).collect(),
            ..SipInboundTrunkInfo::default()
        };
        match &wanted.access {
            Access::AsFound => {
                let found = found?.clone();
                Some(SipInboundTrunkInfo {
                    allowed_addresses: found.allowed_addresses,
                    auth_username: found.auth_username,
                    auth_password: found.auth_password,
                    ringing_timeout: found.ringing_timeout,
                    ..base
                })
            }
            Access::Known(carrier) => {
                let trunk = carrier.inbound_trunk(&wanted.numbers)?;
                let login = trunk.login.map(|login| (login.username, login.password.expose_secret().to_owned()));
                let (auth_username, auth_password) = login.unwrap_or_default();
                Some(SipInboundTrunkInfo {
                    allowed_addresses: trunk.allowed_addresses.iter().map(ToString::to_string).collect(),
                    auth_username,
                    auth_password,
                    ringing_timeout: Some(trunk.ringing_timeout.into()),
                    ..base
                })
            }
        }
    }

    /// The rule of a connection whose trunk has the id `trunk`.
    #[must_use]
    pub fn rule(&self, carrier: &str, trunk: &str) -> SipDispatchRuleInfo {
        SipDispatchRuleInfo {
            trunk_ids: vec![trunk.to_owned()],
            ..callee_rule(self.name(carrier), self.room_prefix(), HashMap::new())
        }
    }
}

/// The rule for calls that match no trunk: the API ends them, because without any rule the caller would hear it ring
/// for ever.
#[must_use]
pub fn strangers_rule() -> SipDispatchRuleInfo {
    let attributes = HashMap::from([(STRANGER_ATTRIBUTE.to_owned(), "true".to_owned())]);
    callee_rule(STRANGERS.to_owned(), STRANGERS_PREFIX.to_owned(), attributes)
}

fn callee_rule(name: String, room_prefix: String, attributes: HashMap<String, String>) -> SipDispatchRuleInfo {
    // A room per call, named after the called number and something random; the caller's number stays out of the name.
    let callee = SipDispatchRuleCallee { room_prefix, pin: String::new(), randomize: true };
    let worker = RoomAgentDispatch {
        agent_name: WORKER.to_owned(),
        restart_policy: JobRestartPolicy::JrpNever.into(),
        ..RoomAgentDispatch::default()
    };
    SipDispatchRuleInfo {
        name,
        rule: Some(SipDispatchRule { rule: Some(sip_dispatch_rule::Rule::DispatchRuleCallee(callee)) }),
        attributes,
        room_config: Some(RoomConfiguration { agents: vec![worker], ..RoomConfiguration::default() }),
        ..SipDispatchRuleInfo::default()
    }
}

/// Whether a trunk is as it should be; what LiveKit fills in by itself is not looked at.
#[must_use]
pub fn same_trunk(found: &SipInboundTrunkInfo, wanted: &SipInboundTrunkInfo) -> bool {
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    let seconds = |trunk: &SipInboundTrunkInfo| trunk.ringing_timeout.as_ref().map(|limit| limit.seconds);
    found.name == wanted.name
        && found.metadata == wanted.metadata
        && set(&found.numbers) == set(&wanted.numbers)
        && set(&found.allowed_addresses) == set(&wanted.allowed_addresses)
        && found.allowed_numbers.is_empty()
        && found.auth_username == wanted.auth_username
        && found.auth_password == wanted.auth_password
        && seconds(found) == seconds(wanted)
}

/// Whether a rule is as it should be; what LiveKit fills in by itself is not looked at.
#[must_use]
pub fn same_rule(found: &SipDispatchRuleInfo, wanted: &SipDispatchRuleInfo) -> bool {
    let agents = |rule: &SipDispatchRuleInfo| rule.room_config.as_ref().map(|room| room.agents.clone());
    found.name == wanted.name
        && found.rule == wanted.rule
        && found.trunk_ids == wanted.trunk_ids
        && found.attributes == wanted.attributes
        && found.inbound_numbers.is_empty()
        && found.numbers.is_empty()
        && !found.hide_phone_number
        && agents(found) == agents(wanted)
}
