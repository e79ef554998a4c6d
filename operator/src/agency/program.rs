//! Makes LiveKit have the agency's connections.

use std::time::Duration;

use voxplane_platform::error_chain::describe;

use crate::context::Context;
use crate::kind::RESYNC;
use crate::livekit::desired::{Holder, Wanted};
use crate::livekit::{Connection, Goal, LiveKitError};
use crate::watch::Change;

/// What became of the connections.
#[derive(Debug, Default)]
pub struct Outcome {
    /// One per connection that could be looked at.
    pub connections: Vec<Connection>,
    /// Why LiveKit does not have all of them.
    pub problem: Option<String>,
    /// What failed, to be tried again.
    pub failure: Option<LiveKitError>,
}

/// A number that is on another trunk may be given up there at any time.
const BLOCKED_AGAIN: Duration = Duration::from_secs(5);

impl Outcome {
    /// When the agency should be looked at again, if nothing changes before.
    #[must_use]
    pub fn look_again(&self) -> Duration {
        if self.connections.iter().any(|connection| !connection.blocked.is_empty()) { BLOCKED_AGAIN } else { RESYNC }
    }
}

/// Makes LiveKit have the connections, and tells the PhoneNumbers if something changed.
pub async fn converge(holder: &Holder, wanted: &[Wanted], ctx: &Context) -> Outcome {
    let agency = &holder.agency;
    let Some(livekit) = &ctx.livekit else {
        return Outcome {
            problem: Some("no LiveKit is configured: set VOXPLANE_LIVEKIT_URL, …_API_KEY and …_API_SECRET".to_owned()),
            ..Outcome::default()
        };
    };
    match Box::pin(livekit.converge(holder, wanted)).await {
        Ok(done) => {
            let goal = Goal { holder: holder.clone(), wanted: wanted.to_vec() };
            if ctx.programmed.put(goal, done.connections.clone()) {
                ctx.router.announce(&Change::Trunks { agency: agency.clone() });
            }
            Outcome {
                problem: done
                    .connections
                    .iter()
                    .find_map(|connection| connection.problem.as_ref().or(connection.outbound_problem.as_ref()))
                    .cloned(),
                connections: done.connections,
                failure: done.failure,
            }
        }
        // What LiveKit had, it still has.
        Err(error) => {
            Outcome { connections: ctx.programmed.all(agency), problem: Some(describe(&error)), failure: Some(error) }
        }
    }
}
