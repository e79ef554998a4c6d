//! What LiveKit has, as an operator of LiveKit sees and changes it through LiveKit's own API.

use anyhow::{Context, Result, ensure};
use livekit_api::services::{
    ServiceError,
    room::RoomClient,
    sip::{
        CreateSIPInboundTrunkOptions, CreateSIPParticipantOptions, ListSIPDispatchRuleFilter,
        ListSIPInboundTrunkFilter, ListSIPOutboundTrunkFilter, SIPClient,
    },
};
use livekit_protocol::{
    ListUpdate, SipDispatchRuleInfo, SipInboundTrunkInfo, SipInboundTrunkUpdate, SipOutboundTrunkInfo,
    SipOutboundTrunkUpdate,
};

use crate::env::LabEnv;

/// LiveKit's SIP API with full rights.
pub struct LiveKit {
    sip: SIPClient,
    rooms: RoomClient,
}

impl LiveKit {
    /// The lab's LiveKit. Nothing is connected yet.
    pub fn new(env: &LabEnv) -> Self {
        let (url, key, secret) = (&env.livekit_url, &env.livekit_api_key, &env.livekit_api_secret);
        Self { sip: SIPClient::with_api_key(url, key, secret), rooms: RoomClient::with_api_key(url, key, secret) }
    }

    /// The inbound trunks of an agency, by its `status.id`.
    ///
    /// # Errors
    /// When LiveKit does not answer.
    pub async fn trunks(&self, agency_id: &str) -> Result<Vec<SipInboundTrunkInfo>> {
        let all = self.sip.list_sip_inbound_trunk(ListSIPInboundTrunkFilter::All).await;
        let all = all.context("listing LiveKit's inbound trunks")?;
        Ok(all.into_iter().filter(|trunk| trunk.name.starts_with(&prefix(agency_id))).collect())
    }

    /// The outbound trunks of an agency, by its `status.id`.
    ///
    /// # Errors
    /// When LiveKit does not answer.
    pub async fn outbound_trunks(&self, agency_id: &str) -> Result<Vec<SipOutboundTrunkInfo>> {
        let all = self.sip.list_sip_outbound_trunk(ListSIPOutboundTrunkFilter::All).await;
        let all = all.context("listing LiveKit's outbound trunks")?;
        Ok(all.into_iter().filter(|trunk| trunk.name.starts_with(&prefix(agency_id))).collect())
    }

    /// Calls `to` over an outbound trunk, waits for the answer and hangs up. The trunk chooses the number that the one who
    /// is called sees.
    ///
    /// # Errors
    /// LiveKit's, with the SIP status where the other side has refused.
    pub async fn call(&self, trunk: &str, to: &str, room: &str) -> Result<(), ServiceError> {
        let options =
            CreateSIPParticipantOptions { wait_until_answered: Some(true), ..CreateSIPParticipantOptions::default() };
        let called =
            self.sip.create_sip_participant(trunk.to_owned(), to.to_owned(), room.to_owned(), options, None).await;
        // With its room the call ends.
        let ended = self.rooms.delete_room(room).await;
        called?;
        ended.map(drop)
    }

    /// Sends the calls of an outbound trunk elsewhere and lets them show another number, behind the operator's back.
    ///
    /// # Errors
    /// When LiveKit refuses.
    pub async fn divert(&self, id: &str, address: &str, number: &str) -> Result<()> {
        let numbers = Some(ListUpdate { set: vec![number.to_owned()], ..ListUpdate::default() });
        let address = Some(address.to_owned());
        let update = SipOutboundTrunkUpdate { address, numbers, ..SipOutboundTrunkUpdate::default() };
        self.sip.update_sip_outbound_trunk(id.to_owned(), update).await.map(drop).context("changing an outbound trunk")
    }

    /// The dispatch rules of an agency, by its `status.id`.
    ///
    /// # Errors
    /// When LiveKit does not answer.
    pub async fn rules(&self, agency_id: &str) -> Result<Vec<SipDispatchRuleInfo>> {
        let all = self.sip.list_sip_dispatch_rule(ListSIPDispatchRuleFilter::All).await;
        let all = all.context("listing LiveKit's dispatch rules")?;
        Ok(all.into_iter().filter(|rule| rule.name.starts_with(&prefix(agency_id))).collect())
    }

    /// The one trunk and the one rule of an agency with one carrier connection.
    ///
    /// # Errors
    /// When there are more or fewer, or LiveKit does not answer.
    pub async fn connection(&self, agency_id: &str) -> Result<(SipInboundTrunkInfo, SipDispatchRuleInfo)> {
        let (mut trunks, mut rules) = (self.trunks(agency_id).await?, self.rules(agency_id).await?);
        ensure!(trunks.len() == 1, "LiveKit should have one trunk of the agency, but has {trunks:#?}");
        ensure!(rules.len() == 1, "LiveKit should have one rule of the agency, but has {rules:#?}");
        Ok((trunks.remove(0), rules.remove(0)))
    }

    /// Whether LiveKit has nothing of an agency.
    ///
    /// # Errors
    /// When LiveKit does not answer.
    pub async fn has_nothing_of(&self, agency_id: &str) -> Result<bool> {
        Ok(self.trunks(agency_id).await?.is_empty()
            && self.rules(agency_id).await?.is_empty()
            && self.outbound_trunks(agency_id).await?.is_empty())
    }

    /// Makes a trunk behind the operator's back; returns its id.
    ///
    /// # Errors
    /// When LiveKit refuses.
    pub async fn create_trunk(&self, name: &str, number: &str) -> Result<String> {
        let options = CreateSIPInboundTrunkOptions {
            allowed_addresses: Some(vec!["192.0.2.30".to_owned()]),
            ..CreateSIPInboundTrunkOptions::default()
        };
        let made = self.sip.create_sip_inbound_trunk(name.to_owned(), vec![number.to_owned()], options).await;
        made.map(|trunk| trunk.sip_trunk_id).context("making a trunk")
    }

    /// Deletes a trunk behind the operator's back.
    ///
    /// # Errors
    /// When LiveKit refuses.
    pub async fn delete_trunk(&self, id: &str) -> Result<()> {
        self.sip.delete_sip_trunk(id).await.map(drop).context("deleting a trunk")
    }

    /// Deletes a dispatch rule behind the operator's back.
    ///
    /// # Errors
    /// When LiveKit refuses.
    pub async fn delete_rule(&self, id: &str) -> Result<()> {
        self.sip.delete_sip_dispatch_rule(id).await.map(drop).context("deleting a dispatch rule")
    }

    /// Gives a trunk other numbers behind the operator's back.
    ///
    /// # Errors
    /// When LiveKit refuses.
    pub async fn set_numbers(&self, id: &str, numbers: &[&str]) -> Result<()> {
        let set = numbers.iter().map(|number| (*number).to_owned()).collect();
        let numbers = Some(ListUpdate { set, ..ListUpdate::default() });
        let update = SipInboundTrunkUpdate { numbers, ..SipInboundTrunkUpdate::default() };
        self.sip.update_sip_inbound_trunk(id.to_owned(), update).await.map(drop).context("changing a trunk's numbers")
    }
}

/// What the names of an agency's objects in LiveKit begin with.
fn prefix(agency_id: &str) -> String {
    format!("voxplane/{agency_id}/")
}
