//! Whether what an agent says makes sense: its texts, wherever they are written, and its flow. Pure.

use std::fmt::Write as _;

use voxplane_crds::conditions::reasons;
use voxplane_crds::variables::{Fault, Names};
use voxplane_crds::{VoiceAgent, flow, texts};

use crate::home::Home;
use crate::status::Problem;

/// Faults that one message names; the others follow when these are mended.
const NAMED: usize = 5;

/// Judges texts and flow. The API, which judges by the same rules, takes no call for an agent that fails.
pub(super) fn check(agent: &VoiceAgent, home: &Home) -> Result<(), Problem> {
    let names = Names::of(&agent.spec);
    let faults = texts::check(&home.effective(agent), &names);
    if !faults.is_empty() {
        return Err(Problem::new(reasons::INVALID, message(&faults)));
    }
    let faults = agent.spec.flow.as_ref().map(|flow| flow::check(flow, &names)).unwrap_or_default();
    if !faults.is_empty() {
        return Err(Problem::new(reasons::FLOW_INVALID, message(&faults)));
    }
    Ok(())
}

fn message(faults: &[Fault]) -> String {
    let named = faults.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>();
    let mut message = named.join("; ");
    if let Some(more) = faults.len().checked_sub(NAMED).filter(|more| *more > 0) {
        // Writing to a string cannot fail.
        let _ = write!(message, "; and {more} more");
    }
    message
}
