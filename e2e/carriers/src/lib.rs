//! Stand-ins for the number APIs of Twilio, Telnyx and GoTo Connect: the published protocol, with numbers, owners and money in memory.
//!
//! They check requests as the carriers do, count what is bought, and fail on demand: [`Fault`] says which request fails
//! and how, down to one that is carried out and whose answer is lost. A test starts a [`Simulator`] and asks it; by
//! hand, the program `carriers` serves the same, with the inspection under `/_sim/`.
//!
//! | module | job |
//! | --- | --- |
//! | [`simulator`] | [`Simulator`]: one running stand-in |
//! | [`world`] | what it knows: stock, owners, orders, money |
//! | [`stock`] | the numbers it starts with |
//! | [`fault`] | [`Fault`] |
//! | `gate`, `wire` | where faults happen |
//! | [`twilio`], [`telnyx`], [`goto_connect`] | the protocols |
//! | `inspect` | `/_sim/` |

pub mod fault;
mod gate;
pub mod goto_connect;
mod inspect;
pub mod simulator;
pub mod stock;
pub mod telnyx;
pub mod twilio;
mod wire;
pub mod world;

pub use fault::Fault;
pub use simulator::{Setup, Simulator};
pub use world::{Forwarding, Owned, Purchase, Seen};

/// Whom to stand in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// Twilio.
    Twilio,
    /// Telnyx.
    Telnyx,
    /// GoTo Connect.
    GotoConnect,
}
