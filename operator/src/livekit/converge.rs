//! Carries out a plan.

use livekit_protocol::SipDispatchRuleInfo;
use voxplane_platform::error_chain::describe;
use voxplane_telephony::E164;

use super::client::{LiveKit, LiveKitError};
use super::desired::{Holder, Wanted, same_rule};
use super::outbound::{OutboundStep, plan_outbound};
use super::plan::{Found, TrunkStep, plan, take_blocked};
use super::programmed::{CallingTrunk, Connection};

/// What became of an agency's connections.
#[derive(Debug, Default)]
pub struct Outcome {
    /// One per wanted connection, in that order.
    pub connections: Vec<Connection>,
    /// The first thing that failed. The other connections were still worked on.
    pub failure: Option<LiveKitError>,
}

impl LiveKit {
    /// Everything in LiveKit that could concern us.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn look(&self) -> Result<Found, LiveKitError> {
        let (trunks, rules, outbound) = tokio::try_join!(self.trunks(), self.rules(), self.outbound_trunks())?;
        Ok(Found { trunks, rules, outbound })
    }

    /// Makes LiveKit be as wanted for an agency. One connection's failure does not hold up the others.
    ///
    /// # Errors
    /// [`LiveKitError`] when LiveKit cannot even be looked at.
    pub async fn converge(&self, holder: &Holder, wanted: &[Wanted]) -> Result<Outcome, LiveKitError> {
        let found = self.look().await?;
        let mut wanted = wanted.to_vec();
        let mut blocked = take_blocked(holder, &mut wanted, &found);
        let plan = plan(holder, &wanted, &found);
        for id in &plan.delete_rules {
            self.delete_rule(id).await?;
        }
        for id in &plan.delete_trunks {
            self.delete_trunk(id).await?;
        }
        let outbound = plan_outbound(holder, &wanted, &found.outbound);
        for id in &outbound.delete {
            self.delete_trunk(id).await?;
        }
        for (id, trunk) in plan.shrink {
            self.replace_trunk(&id, *trunk).await?;
        }
        let mut outcome = Outcome::default();
        for connection in &wanted {
            let blocked = blocked.remove(&connection.carrier).unwrap_or_default();
            let mut result = Connection { carrier: connection.carrier.clone(), ..Connection::default() };
            let step = plan.trunks.iter().find(|(carrier, _)| *carrier == connection.carrier);
            if let Some((_, step)) = step {
                match self.connect(holder, connection, step, &found.rules).await {
                    Ok((trunk, rule)) => {
                        result.trunk_id = Some(trunk);
                        result.rule_id = Some(rule);
                        result.numbers = connection.numbers.clone();
                    }
                    Err(error) => {
                        // What the trunk had before, it still has, and calls to those numbers still arrive.
                        result = as_found(holder, connection, step, &found);
                        result.problem = Some(describe(&error));
                        outcome.failure.get_or_insert(error);
                    }
                }
            }
            if !blocked.is_empty() {
                let what = format!(
                    "not on the trunk, because they are on one in LiveKit that does not belong to this agency: \
                     {} claimed numbers; remove them there",
                    blocked.len()
                );
                result.problem.get_or_insert(what);
                result.blocked = blocked;
            }
            if let Some(step) = outbound.trunks.get(&connection.carrier) {
                match self.call_over(connection, step).await {
                    Ok(trunk) => result.outbound = Some(trunk),
                    Err(error) => {
                        result.outbound = calling_as_found(step, &found);
                        result.outbound_problem = Some(describe(&error));
                        outcome.failure.get_or_insert(error);
                    }
                }
            }
            outcome.connections.push(result);
        }
        Ok(outcome)
    }

    /// Makes the trunk over which a connection's calls are placed.
    async fn call_over(&self, connection: &Wanted, step: &OutboundStep) -> Result<CallingTrunk, LiveKitError> {
        let trunk_id = match step {
            OutboundStep::Keep { id } => id.clone(),
            OutboundStep::Create(trunk) => self.create_outbound_trunk((**trunk).clone()).await?,
            OutboundStep::Replace { id, trunk } => {
                self.replace_outbound_trunk(id, (**trunk).clone()).await?;
                id.clone()
            }
        };
        let caller_ids = connection.outbound.as_ref().map(|calling| calling.caller_ids.clone()).unwrap_or_default();
        Ok(CallingTrunk { trunk_id, caller_ids })
    }

    async fn connect(
        &self,
        holder: &Holder,
        connection: &Wanted,
        step: &TrunkStep,
        rules: &[SipDispatchRuleInfo],
    ) -> Result<(String, String), LiveKitError> {
        let trunk = match step {
            TrunkStep::Keep { id } => id.clone(),
            TrunkStep::Create(trunk) => self.create_trunk((**trunk).clone()).await?,
            TrunkStep::Replace { id, trunk } => {
                self.replace_trunk(id, (**trunk).clone()).await?;
                id.clone()
            }
        };
        let wanted = holder.rule(&connection.carrier, &trunk);
        let rule = match rules.iter().find(|rule| rule.name == wanted.name) {
            Some(found) if same_rule(found, &wanted) => found.sip_dispatch_rule_id.clone(),
            Some(found) => {
                self.replace_rule(&found.sip_dispatch_rule_id, wanted).await?;
                found.sip_dispatch_rule_id.clone()
            }
            None => self.create_rule(wanted).await?,
        };
        Ok((trunk, rule))
    }
}

/// An outbound trunk as it is, where it could not be changed.
fn calling_as_found(step: &OutboundStep, found: &Found) -> Option<CallingTrunk> {
    let (OutboundStep::Keep { id } | OutboundStep::Replace { id, .. }) = step else { return None };
    let trunk = found.outbound.iter().find(|trunk| trunk.sip_trunk_id == *id)?;
    let caller_ids = trunk.numbers.iter().filter_map(|number| E164::parse(number).ok()).collect();
    Some(CallingTrunk { trunk_id: id.clone(), caller_ids })
}

fn as_found(holder: &Holder, connection: &Wanted, step: &TrunkStep, found: &Found) -> Connection {
    let mut result = Connection { carrier: connection.carrier.clone(), ..Connection::default() };
    let (TrunkStep::Keep { id } | TrunkStep::Replace { id, .. }) = step else { return result };
    let Some(trunk) = found.trunks.iter().find(|trunk| trunk.sip_trunk_id == *id) else { return result };
    let name = holder.name(&connection.carrier);
    result.trunk_id = Some(id.clone());
    result.rule_id = found.rules.iter().find(|rule| rule.name == name).map(|rule| rule.sip_dispatch_rule_id.clone());
    result.numbers = trunk.numbers.iter().filter_map(|number| E164::parse(number).ok()).collect();
    result
}
