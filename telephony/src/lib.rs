//! Carriers and telephone numbers: who may send us calls, and where numbers are bought.
//!
//! | module | job |
//! | --- | --- |
//! | [`e164`] | [`E164`], the one form in which numbers are compared, and how to get it from other forms |
//! | [`grant`] | [`NumberPattern`]: which numbers a carrier connection grants |
//! | [`caller`] | who a SIP caller says they are |
//! | [`carrier`] | [`Carrier`]: what a connection needs programmed |
//! | [`sip`] | [`SipCarrier`], a SIP trunk |
//! | [`outbound`] | [`OutboundTrunk`]: where a carrier takes our calls |
//! | [`market`] | [`NumberMarket`]: search, order, route and release numbers at a carrier; [`Market`]: one account |
//! | [`twilio`], [`telnyx`], [`goto_connect`] | the carriers' APIs |

pub mod caller;
pub mod carrier;
pub mod e164;
pub mod goto_connect;
pub mod grant;
pub mod market;
pub mod outbound;
pub mod sip;
pub mod telnyx;
pub mod twilio;

pub use caller::CallerId;
pub use carrier::{Carrier, CarrierKind, InboundTrunk, SipLogin};
pub use e164::{E164, NumberError};
pub use grant::NumberPattern;
pub use market::{Market, MarketError, NumberMarket, OwnedNumber};
pub use outbound::OutboundTrunk;
pub use sip::{SipCarrier, SipError};
