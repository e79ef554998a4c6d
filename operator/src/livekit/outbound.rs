//! The outbound trunks of an agency's carrier connections: what they should be, and what must change. Pure.
//!
//! LiveKit needs a number on every outbound trunk, so a connection has one while a number of it may be shown to those who
//! are called. LiveKit takes one of the trunk's numbers for a call that names none; it does not refuse a call that names
//! another (livekit-server 1.13), so whoever places calls names the caller id of its PhoneNumber and nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use livekit_protocol::{SipMediaConfig, SipMediaEncryption, SipOutboundTrunkInfo, SipTransport};
use secrecy::ExposeSecret as _;
use serde_json::json;
use voxplane_telephony::outbound::{MediaEncryption, Transport};
use voxplane_telephony::{E164, OutboundTrunk};

use super::desired::{Holder, Wanted};

/// Where a connection's calls go.
#[derive(Clone, Debug)]
pub enum Exit {
    /// As the agency says.
    Known(OutboundTrunk),
    /// Not known at present (a Secret is missing): an existing trunk keeps what it has, and none is made.
    AsFound,
}

/// An outbound trunk as it should be in LiveKit.
#[derive(Clone, Debug)]
pub struct Calling {
    /// Where its calls go.
    pub exit: Exit,
    /// The numbers that those who are called may see.
    pub caller_ids: BTreeSet<E164>,
}

/// What happens to an outbound trunk.
#[derive(Clone, Debug, PartialEq)]
pub enum OutboundStep {
    /// It is as it should be.
    Keep {
        /// Its id.
        id: String,
    },
    /// There is none.
    Create(Box<SipOutboundTrunkInfo>),
    /// It differs.
    Replace {
        /// Its id.
        id: String,
        /// As it should be.
        trunk: Box<SipOutboundTrunkInfo>,
    },
}

/// The steps for the outbound trunks of one agency.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutboundPlan {
    /// Trunks to delete: of connections that are gone or place no calls, and duplicates.
    pub delete: Vec<String>,
    /// Per connection that places calls: its trunk.
    pub trunks: BTreeMap<String, OutboundStep>,
}

impl OutboundPlan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.delete.is_empty() && self.trunks.values().all(|step| matches!(step, OutboundStep::Keep { .. }))
    }
}

/// The steps that make LiveKit's outbound trunks be as `wanted` for the agency `holder`; `found`: all that there are, ours
/// or not.
#[must_use]
pub fn plan_outbound(holder: &Holder, wanted: &[Wanted], found: &[SipOutboundTrunkInfo]) -> OutboundPlan {
    let mut plan = OutboundPlan::default();
    let mut known: HashMap<&str, &SipOutboundTrunkInfo> = HashMap::new();
    let calling = |wanted: &Wanted| wanted.outbound.clone().filter(|calling| !calling.caller_ids.is_empty());
    let names: BTreeSet<String> =
        wanted.iter().filter(|wanted| calling(wanted).is_some()).map(|wanted| holder.name(&wanted.carrier)).collect();
    let prefix = holder.prefix();
    for trunk in found.iter().filter(|trunk| trunk.name.starts_with(&prefix)) {
        if !names.contains(&trunk.name) || known.contains_key(trunk.name.as_str()) {
            plan.delete.push(trunk.sip_trunk_id.clone());
        } else {
            known.insert(&trunk.name, trunk);
        }
    }
    for connection in wanted {
        let Some(calling) = calling(connection) else { continue };
        let existing = known.get(holder.name(&connection.carrier).as_str()).copied();
        let Some(trunk) = outbound_trunk(holder, &connection.carrier, &calling, existing) else { continue };
        let step = match existing {
            None => OutboundStep::Create(Box::new(trunk)),
            Some(found) if same_outbound(found, &trunk) => OutboundStep::Keep { id: found.sip_trunk_id.clone() },
            Some(found) => OutboundStep::Replace { id: found.sip_trunk_id.clone(), trunk: Box::new(trunk) },
        };
        plan.trunks.insert(connection.carrier.clone(), step);
    }
    plan
}

/// The outbound trunk of a connection; `found` is the one that exists. `None`: none can be made.
#[must_use]
pub fn outbound_trunk(
    holder: &Holder,
    carrier: &str,
    calling: &Calling,
    found: Option<&SipOutboundTrunkInfo>,
) -> Option<SipOutboundTrunkInfo> {
    let metadata = json!({ "managedBy": "voxplane-operator", "agency": holder.agency, "carrier": carrier });
    let base = SipOutboundTrunkInfo {
        name: holder.name(carrier),
        metadata: metadata.to_string(),
        numbers: calling.caller_ids.iter().map(|number| number.as_str().to_owned()).collect(),
        ..SipOutboundTrunkInfo::default()
    };
    match &calling.exit {
        Exit::AsFound => {
            let found = found?.clone();
            Some(SipOutboundTrunkInfo {
                address: found.address,
                transport: found.transport,
                auth_username: found.auth_username,
                auth_password: found.auth_password,
                headers: found.headers,
                media: found.media,
                ..base
            })
        }
        Exit::Known(trunk) => {
            let login = trunk.login();
            let password = login.map(|login| login.password.expose_secret().to_owned());
            Some(SipOutboundTrunkInfo {
                address: trunk.address().to_owned(),
                transport: transport(trunk.transport()).into(),
                auth_username: login.map(|login| login.username.clone()).unwrap_or_default(),
                auth_password: password.unwrap_or_default(),
                headers: trunk.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                media: media(trunk.media_encryption()),
                ..base
            })
        }
    }
}

const fn transport(transport: Transport) -> SipTransport {
    match transport {
        Transport::Udp => SipTransport::Udp,
        Transport::Tcp => SipTransport::Tcp,
        Transport::Tls => SipTransport::Tls,
    }
}

fn media(encryption: MediaEncryption) -> Option<SipMediaConfig> {
    let encryption = match encryption {
        // LiveKit's own default, which it may leave out.
        MediaEncryption::Disabled => return None,
        MediaEncryption::Allowed => SipMediaEncryption::SipMediaEncryptAllow,
        MediaEncryption::Required => SipMediaEncryption::SipMediaEncryptRequire,
    };
    Some(SipMediaConfig { encryption: Some(encryption.into()), ..SipMediaConfig::default() })
}

/// How a trunk encrypts media; LiveKit moves what stands in the old field into the new one.
fn encryption(trunk: &SipOutboundTrunkInfo) -> i32 {
    #[allow(deprecated, reason = "somebody's hand may have set the old field")]
    let old = trunk.media_encryption;
    trunk.media.as_ref().and_then(|media| media.encryption).unwrap_or(old)
}

/// Whether a trunk is as it should be; what LiveKit fills in by itself is not looked at.
#[must_use]
pub fn same_outbound(found: &SipOutboundTrunkInfo, wanted: &SipOutboundTrunkInfo) -> bool {
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    found.name == wanted.name
        && found.metadata == wanted.metadata
        && found.address == wanted.address
        && found.transport == wanted.transport
        && set(&found.numbers) == set(&wanted.numbers)
        && found.auth_username == wanted.auth_username
        && found.auth_password == wanted.auth_password
        && found.headers == wanted.headers
        && encryption(found) == encryption(wanted)
        && found.from_host.is_empty()
        && found.destination_country.is_empty()
        && found.headers_to_attributes.is_empty()
        && found.attributes_to_headers.is_empty()
        && found.include_headers == 0
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use voxplane_telephony::outbound::OutboundSettings;
    use voxplane_telephony::{CarrierKind, SipCarrier, SipLogin};

    use super::*;
    use crate::livekit::desired::Access;

    fn holder(id: u128) -> Holder {
        Holder { agency_id: Uuid::from_u128(id), agency: "brightline".to_owned() }
    }

    fn calling(caller_ids: &[&str]) -> Calling {
        let settings = OutboundSettings {
            address: Some("sip.example.com".to_owned()),
            transport: Transport::Tls,
            media_encryption: MediaEncryption::Required,
            login: Some(SipLogin { username: "office".to_owned(), password: "hush".into() }),
            headers: BTreeMap::from([("X-Account".to_owned(), "7".to_owned())]),
        };
        Calling {
            exit: Exit::Known(OutboundTrunk::new(CarrierKind::Sip, settings).unwrap()),
            caller_ids: caller_ids.iter().map(|number| E164::parse(number).unwrap()).collect(),
        }
    }

    fn wanted(carrier: &str, outbound: Option<Calling>) -> Wanted {
        Wanted {
            carrier: carrier.to_owned(),
            access: Access::Known(SipCarrier::new(&["203.0.113.0/24".to_owned()], None, 20).unwrap()),
            numbers: BTreeSet::new(),
            outbound,
        }
    }

    fn existing(holder: &Holder, carrier: &str, id: &str, caller_ids: &[&str]) -> SipOutboundTrunkInfo {
        let trunk = outbound_trunk(holder, carrier, &calling(caller_ids), None).unwrap();
        SipOutboundTrunkInfo { sip_trunk_id: id.to_owned(), ..trunk }
    }

    #[test]
    fn a_trunk_is_made_for_numbers_that_may_be_shown_and_goes_with_the_last_of_them() {
        let holder = holder(1);
        let plan = plan_outbound(&holder, &[wanted("main", Some(calling(&["+15550100"])))], &[]);
        let OutboundStep::Create(trunk) = &plan.trunks["main"] else { panic!("{plan:?}") };
        assert_eq!((trunk.address.as_str(), trunk.transport()), ("sip.example.com", SipTransport::Tls));
        assert_eq!((trunk.auth_username.as_str(), trunk.auth_password.as_str()), ("office", "hush"));
        assert_eq!(
            (trunk.numbers.as_slice(), trunk.headers["X-Account"].as_str()),
            (&["+15550100".to_owned()][..], "7")
        );
        assert_eq!(encryption(trunk), i32::from(SipMediaEncryption::SipMediaEncryptRequire));

        let found = [existing(&holder, "main", "ST_1", &["+15550100"])];
        for nothing in [wanted("main", Some(calling(&[]))), wanted("main", None)] {
            let plan = plan_outbound(&holder, &[nothing], &found);
            assert_eq!((plan.delete.as_slice(), plan.trunks.len()), (&["ST_1".to_owned()][..], 0));
            assert!(!plan.is_settled());
        }
        assert_eq!(plan_outbound(&holder, &[], &found).delete, ["ST_1"], "the connection is gone");
    }

    #[test]
    fn every_difference_is_repaired_and_nothing_else_is_touched() {
        let (holder, other) = (holder(1), holder(2));
        let wanted = [wanted("main", Some(calling(&["+15550100", "+15550101"])))];
        let good = existing(&holder, "main", "ST_1", &["+15550101", "+15550100"]);
        let by_hand = SipOutboundTrunkInfo { name: "main".to_owned(), ..good.clone() };
        let strangers = [existing(&other, "main", "ST_2", &["+15550100"]), by_hand];
        let with = |trunk: SipOutboundTrunkInfo| {
            let found: Vec<_> = strangers.iter().cloned().chain([trunk]).collect();
            plan_outbound(&holder, &wanted, &found)
        };
        assert!(
            with(SipOutboundTrunkInfo { numbers: good.numbers.iter().rev().cloned().collect(), ..good.clone() })
                .is_settled()
        );
        let changes: [fn(&mut SipOutboundTrunkInfo); 9] = [
            |trunk| trunk.address = "evil.example.com".to_owned(),
            |trunk| trunk.numbers.truncate(1),
            |trunk| trunk.numbers.push("+15550900".to_owned()),
            |trunk| trunk.auth_password.clear(),
            |trunk| trunk.headers.clear(),
            |trunk| trunk.media = None,
            |trunk| trunk.transport = SipTransport::Udp.into(),
            |trunk| trunk.from_host = "evil.example.com".to_owned(),
            |trunk| trunk.metadata.clear(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut trunk = good.clone();
            change(&mut trunk);
            let plan = with(trunk);
            assert!(
                matches!(&plan.trunks["main"], OutboundStep::Replace { id, trunk } if id == "ST_1" && same_outbound(trunk, &good)),
                "change {index}: {plan:?}"
            );
            assert!(plan.delete.is_empty());
        }
        let twice: Vec<_> = [good.clone(), SipOutboundTrunkInfo { sip_trunk_id: "ST_9".to_owned(), ..good }].into();
        assert_eq!(plan_outbound(&holder, &wanted, &twice).delete, ["ST_9"], "a second one of the same name");
    }

    #[test]
    fn without_its_secret_a_connection_keeps_its_login_and_still_gives_up_numbers() {
        let holder = holder(1);
        let found = [existing(&holder, "main", "ST_1", &["+15550100", "+15550101"])];
        let unknown = Calling { exit: Exit::AsFound, ..calling(&["+15550100"]) };
        let wanted = [wanted("main", Some(unknown))];
        let plan = plan_outbound(&holder, &wanted, &found);
        let OutboundStep::Replace { trunk, .. } = &plan.trunks["main"] else { panic!("{plan:?}") };
        assert_eq!((trunk.numbers.as_slice(), trunk.auth_password.as_str()), (&["+15550100".to_owned()][..], "hush"));
        assert_eq!(encryption(trunk), encryption(&found[0]));
        assert!(plan_outbound(&holder, &wanted, &[]).trunks.is_empty(), "and none is made");
    }
}
