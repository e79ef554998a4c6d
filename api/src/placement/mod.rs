//! From a job offer to a call on a pod, or to a refusal. Decisions are pure (`resolve`, `compile`, `pick`);
//! `placer` acts.

mod compile;
mod hours;
mod pick;
mod placer;
mod resolve;
mod spoken;

pub use pick::{Candidate, Need, OVERFLOW_SLOTS, pick};
pub use placer::{LEASE, Outcome, Placer, PlacerParts};
pub use resolve::{RefusalReason, Resolution, Route, Verdict, resolve};
