//! SIP trunks and dispatch rules in LiveKit.
//!
//! How LiveKit matches a call (livekit-server 1.13, `protocol/sip/sip.go`):
//!
//! - It takes the trunk that lists the called number and admits the source address. A trunk without numbers would take
//!   every number that no other trunk lists, so a connection without numbers has no trunk.
//! - A number may stand on one trunk only, across all agencies: LiveKit refuses the second.
//! - It takes a dispatch rule that names the trunk; only if there is none, a rule that names no trunk. So the one rule
//!   for strangers cannot shadow an agency's rule, and it receives whatever matches no trunk, for example a call to a
//!   claimed number from an address that its carrier does not use.
//!
//! | module | job |
//! | --- | --- |
//! | [`desired`] | what a connection needs, as LiveKit's own types; pure |
//! | [`outbound`] | the same for the trunks over which calls are placed; pure |
//! | [`plan`] | what must change; pure |
//! | [`client`] | LiveKit's API |
//! | [`converge`] | carries out a plan |
//! | [`strangers`] | the one rule for calls that match nothing |
//! | [`drift`] | what is not as the last passes left it, and what has no owner; pure |
//! | [`keeper`] | looks for drift and orphans again and again |

pub mod client;
pub mod converge;
pub mod desired;
pub mod drift;
pub mod keeper;
pub mod outbound;
pub mod plan;
mod programmed;
pub mod strangers;

pub use client::{LiveKit, LiveKitError};
pub use programmed::{CallingTrunk, Connection, Goal, Programmed};

#[cfg(test)]
mod tests;
