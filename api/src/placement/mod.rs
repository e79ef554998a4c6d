//! From a job offer to a call on a pod, or to a refusal. Decisions are pure (`resolve`, `compile`, `pick`);
//! `placer` acts.

mod canary;
mod compile;
mod hours;
mod pick;
mod placer;
mod resolve;

pub use pick::{Candidate, Need, OVERFLOW_SLOTS, pick};
pub use placer::{LEASE, Outcome, Placer, PlacerParts};
pub use resolve::{RefusalReason, Resolution, Route, Verdict, resolve};
