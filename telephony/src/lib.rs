//! Carriers and telephone numbers. No input or output happens here yet: the `sip` carrier needs nothing ordered.
//!
//! | module | job |
//! | --- | --- |
//! | [`e164`] | [`E164`], the one form in which numbers are compared, and how to get it from other forms |
//! | [`grant`] | [`NumberPattern`]: which numbers a carrier connection grants |
//! | [`caller`] | who a SIP caller says they are |
//! | [`carrier`] | [`Carrier`]: what a connection needs programmed |
//! | [`sip`] | [`SipCarrier`], any SIP trunk |

pub mod caller;
pub mod carrier;
pub mod e164;
pub mod grant;
pub mod sip;

pub use caller::CallerId;
pub use carrier::{Carrier, CarrierKind, InboundTrunk, SipLogin};
pub use e164::{E164, NumberError};
pub use grant::NumberPattern;
pub use sip::{SipCarrier, SipError};
